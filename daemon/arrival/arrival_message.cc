#include "daemon/arrival/arrival_message.h"

#include <linux/if_ether.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

namespace fipd::arrival {
namespace {

// Of Ethernet and IPv4: header, and two pairs of MAC and IP address.
constexpr std::size_t kArpSize = 28;
constexpr std::size_t kSenderAddress = 14;
constexpr std::uint16_t kReverseRequest = 3;  // RFC 903
constexpr std::size_t kIpv6Header = 40;
constexpr std::size_t kAdvertisementSize = kIpv6Header + 24;
constexpr std::size_t kTargetAddress = kIpv6Header + 8;
constexpr unsigned kNeverForwarded = 255;  // the hop limit of what comes from the link itself

unsigned byte_at(std::span<const std::byte> bytes, std::size_t at) {
  return std::to_integer<unsigned>(bytes[at]);
}

unsigned word_at(std::span<const std::byte> bytes, std::size_t at) {
  return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

bool of_ethernet_and_ipv4(std::span<const std::byte> bytes) {
  return bytes.size() >= kArpSize && word_at(bytes, 0) == ARPHRD_ETHER &&
         word_at(bytes, 2) == ETH_P_IP && byte_at(bytes, 4) == 6 && byte_at(bytes, 5) == 4;
}

std::optional<Heard> decode_arp(std::span<const std::byte> bytes) {
  if (!of_ethernet_and_ipv4(bytes)) return std::nullopt;
  const unsigned operation = word_at(bytes, 6);
  if (operation != ARPOP_REQUEST && operation != ARPOP_REPLY) return std::nullopt;
  const IpAddress sender = from_bytes(bytes.data() + kSenderAddress, 4);
  // A probe for an address that it does not have yet (RFC 5227, 2.1).
  if (sender.is_unspecified()) return std::nullopt;
  return Heard{sender};
}

std::optional<Heard> decode_rarp(std::span<const std::byte> bytes) {
  if (!of_ethernet_and_ipv4(bytes) || word_at(bytes, 6) != kReverseRequest) return std::nullopt;
  return Heard{};
}

std::optional<Heard> decode_advertisement(std::span<const std::byte> bytes) {
  if (bytes.size() < kAdvertisementSize || byte_at(bytes, 6) != IPPROTO_ICMPV6 ||
      byte_at(bytes, 7) != kNeverForwarded || byte_at(bytes, kIpv6Header) != ND_NEIGHBOR_ADVERT ||
      byte_at(bytes, kIpv6Header + 1) != 0) {
    return std::nullopt;
  }
  const IpAddress target = from_bytes(bytes.data() + kTargetAddress, 16);
  if (target.is_unspecified()) return std::nullopt;
  return Heard{target};
}

}  // namespace

std::optional<Heard> decode(std::uint16_t protocol, std::span<const std::byte> bytes) {
  switch (protocol) {
    case ETH_P_ARP:
      return decode_arp(bytes);
    case ETH_P_RARP:
      return decode_rarp(bytes);
    case ETH_P_IPV6:
      return decode_advertisement(bytes);
    default:
      return std::nullopt;
  }
}

}  // namespace fipd::arrival
