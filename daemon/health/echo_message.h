#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fipd::health {

// ICMP echo, both families. Pure: decoding answers nothing for what is no whole echo reply of
// ours, whatever the bytes.

// Carried in the payload and told back: which probe it was. The kernel overwrites the identifier of
// a datagram socket, and sequence numbers come round.
struct EchoToken {
  std::uint64_t secret = 0;  // of this daemon's run, so that nobody else's packet fits
  std::uint64_t number = 0;

  friend bool operator==(const EchoToken&, const EchoToken&) = default;
};

[[nodiscard]] std::vector<std::byte> echo_request(int family, std::uint16_t identifier,
                                                  const EchoToken& token);

// `with_ip_header`: a raw IPv4 socket hands out the IP header, too.
[[nodiscard]] std::optional<EchoToken> decode_echo_reply(std::span<const std::byte> bytes,
                                                         int family, bool with_ip_header);

}  // namespace fipd::health
