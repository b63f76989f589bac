#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"

namespace fipd {

// The written form of a forward, the same in JSON, TOML and on the command line:
//   tcp/443=10.65.0.13:8443   udp/5000-5010=10.65.0.14:6000-6010   sctp/7=[fd00:65::13]:7
// Pure. Errors say what is wrong and what to write (kBadInput).
[[nodiscard]] Result<Forward> parse_forward(std::string_view text);
[[nodiscard]] std::string to_string(const Forward& forward);

// Its ports alone, without where they lead: tcp/443, udp/5000-5010.
struct ForwardedPorts {
  Protocol protocol = Protocol::kTcp;
  std::uint16_t port = 0;
  std::uint16_t count = 1;

  friend bool operator==(const ForwardedPorts&, const ForwardedPorts&) = default;
};
[[nodiscard]] Result<ForwardedPorts> parse_forwarded_ports(std::string_view text);
[[nodiscard]] ForwardedPorts ports_of(const Forward& forward);
[[nodiscard]] std::string to_string(const ForwardedPorts& ports);

[[nodiscard]] Result<std::uint16_t> parse_port(std::string_view text);

// "tcp", "udp", "sctp".
[[nodiscard]] std::string_view name_of(Protocol protocol);

// Brings the forwards of one floating IP into order, by protocol and port. Refuses too many ports,
// and a port twice.
[[nodiscard]] Outcome put_in_order(std::vector<Forward>& forwards);

// What a floating IP leads to.
struct Target {
  IpAddress fixed;  // or
  std::vector<Forward> forwards;

  friend bool operator==(const Target&, const Target&) = default;
};
[[nodiscard]] Target target_of(const Binding& binding);
// For people: "10.65.0.13", "tcp/443=10.65.0.13:8443 and 2 more".
[[nodiscard]] std::string to_string(const Target& target);

}  // namespace fipd
