#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fipd::arrival {

// Packets from the network header on, as tcpdump -x shows them.
inline std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> out;
  std::string digits;
  for (const char each : hex) {
    if (each == ' ') continue;
    digits += each;
    if (digits.size() < 2) continue;
    out.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return out;
}

// `arping -U -I eth0 10.65.0.13`.
inline constexpr std::string_view kGratuitous =
    "0001 0800 0604 0001 525400123456 0a41000d ffffffffffff 0a41000d";
inline constexpr std::string_view kReply =
    "0001 0800 0604 0002 525400123456 0a41000d feeeeeeeeeee a9fe0101";
// An address that is asked for before it is taken (RFC 5227).
inline constexpr std::string_view kProbe =
    "0001 0800 0604 0001 525400123456 00000000 000000000000 0a41000d";
// QEMU's announcement of itself: net/announce.c, announce_self_create().
inline constexpr std::string_view kRarp =
    "0001 0800 0604 0003 525400123456 00000000 525400123456 00000000";
// Of fd00:65::13, to all nodes, with the flag of an override.
inline constexpr std::string_view kAdvertisement =
    "60000000 0020 3a ff fe80000000000000505400fffe123456 ff020000000000000000000000000001"
    "8800 0000 20000000 fd000065000000000000000000000013 0201525400123456";

}  // namespace fipd::arrival
