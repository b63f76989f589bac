#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/address.h"

namespace fipd::nat {

inline IpAddress ip(std::string_view text) { return *parse_address(text); }

// "1c 00 01 80" or "1c000180".
inline std::vector<std::byte> from_hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += c;
  }
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return out;
}

// The messages of a batch, one by one.
inline std::vector<std::span<const std::byte>> messages_of(std::span<const std::byte> batch) {
  std::vector<std::span<const std::byte>> out;
  while (batch.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, batch.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > batch.size()) break;
    out.push_back(batch.first(header.nlmsg_len));
    batch = batch.subspan(header.nlmsg_len);
  }
  return out;
}

inline const nlmsghdr& header_of(std::span<const std::byte> message) {
  return *reinterpret_cast<const nlmsghdr*>(message.data());
}

}  // namespace fipd::nat
