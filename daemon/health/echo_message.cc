#include "daemon/health/echo_message.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <cstring>

namespace fipd::health {
namespace {

constexpr std::size_t kHeader = 8;
constexpr std::size_t kSize = kHeader + sizeof(std::uint64_t) * 2;

void put16(std::vector<std::byte>& out, std::size_t at, unsigned value) {
  out[at] = static_cast<std::byte>(value >> 8);
  out[at + 1] = static_cast<std::byte>(value & 0xff);
}

// RFC 1071, of an even number of bytes.
unsigned checksum_of(std::span<const std::byte> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += (std::to_integer<std::uint32_t>(bytes[i]) << 8) |
           std::to_integer<std::uint32_t>(bytes[i + 1]);
  }
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

}  // namespace

std::vector<std::byte> echo_request(int family, std::uint16_t identifier, const EchoToken& token) {
  std::vector<std::byte> out(kSize);
  out[0] = static_cast<std::byte>(family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
  put16(out, 4, identifier);
  put16(out, 6, static_cast<unsigned>(token.number & 0xffff));
  std::memcpy(out.data() + kHeader, &token.secret, sizeof token.secret);
  std::memcpy(out.data() + kHeader + sizeof token.secret, &token.number, sizeof token.number);
  // Of ICMPv6 the kernel computes it, with the pseudo header.
  if (family == AF_INET) put16(out, 2, checksum_of(out));
  return out;
}

std::optional<EchoToken> decode_echo_reply(std::span<const std::byte> bytes, int family,
                                           bool with_ip_header) {
  if (with_ip_header) {
    if (bytes.empty()) return std::nullopt;
    const std::size_t header = (std::to_integer<std::size_t>(bytes[0]) & 0x0f) * 4;
    if (header > bytes.size()) return std::nullopt;
    bytes = bytes.subspan(header);
  }
  if (bytes.size() < kSize) return std::nullopt;
  const unsigned type = std::to_integer<unsigned>(bytes[0]);
  if (type != (family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY)) return std::nullopt;
  EchoToken token;
  std::memcpy(&token.secret, bytes.data() + kHeader, sizeof token.secret);
  std::memcpy(&token.number, bytes.data() + kHeader + sizeof token.secret, sizeof token.number);
  return token;
}

}  // namespace fipd::health
