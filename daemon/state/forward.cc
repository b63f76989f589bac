#include "daemon/state/forward.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

constexpr std::string_view kExample = "write it like tcp/443=10.65.0.13:8443";
constexpr std::string_view kProtocols[] = {"tcp", "udp", "sctp"};

std::optional<Protocol> protocol_of(std::string_view text) {
  if (text == "tcp") return Protocol::kTcp;
  if (text == "udp") return Protocol::kUdp;
  if (text == "sctp") return Protocol::kSctp;
  return std::nullopt;
}

struct Ports {
  std::uint16_t first = 0;
  std::uint16_t count = 0;
};

// "443" or "5000-5010".
Result<Ports> parse_ports(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  if (!first) return fail(first.error());
  if (dash == std::string_view::npos) return Ports{*first, 1};
  const auto last = parse_port(text.substr(dash + 1));
  if (!last) return fail(last.error());
  if (*last < *first) {
    return fail(ErrorCode::kBadInput, "the ports {}-{} run backwards: write {}-{}", *first, *last,
                *last, *first);
  }
  const int count = *last - *first + 1;
  if (static_cast<std::size_t>(count) > kMaxForwardedPorts) {
    return fail(ErrorCode::kLimit, "{} ports are more than the {} that one floating IP forwards",
                count, kMaxForwardedPorts);
  }
  return Ports{*first, static_cast<std::uint16_t>(count)};
}

// "10.65.0.13:8443", "[fd00::13]:8443": the address, and where its ports begin.
Result<IpAddress> split_target(std::string_view text, std::string_view& ports) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::kBadInput, "the port of the instance is missing: {}", kExample);
  }
  ports = text.substr(colon + 1);
  std::string_view address = text.substr(0, colon);
  const bool brackets = address.size() > 1 && address.front() == '[' && address.back() == ']';
  if (brackets) address = address.substr(1, address.size() - 2);
  Result<IpAddress> parsed = parse_address(address);
  if (!parsed || parsed->is_v6() != brackets) {
    return fail(ErrorCode::kBadInput,
                "'{}' is not an address and a port: write 10.65.0.13:8443 or [fd00::13]:8443",
                printable(text));
  }
  return parsed;
}

bool comes_before(const Forward& a, const Forward& b) {
  return a.protocol != b.protocol ? a.protocol < b.protocol : a.port < b.port;
}

std::string ports_text(std::uint16_t first, std::uint16_t count) {
  return count == 1 ? fmt::format("{}", first) : fmt::format("{}-{}", first, first + count - 1);
}

}  // namespace

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || port == 0 || text.front() == '0') {
    return fail(ErrorCode::kBadInput, "'{}' is not a port: write 1 to 65535", printable(text));
  }
  return port;
}

Result<ForwardedPorts> parse_forwarded_ports(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(ErrorCode::kBadInput, "'{}' is not a protocol and its ports: write tcp/443",
                printable(text));
  }
  const std::string_view name = text.substr(0, slash);
  const std::optional<Protocol> protocol = protocol_of(name);
  if (!protocol) {
    return fail(ErrorCode::kBadInput, "'{}': '{}' is not forwarded: write tcp, udp or sctp{}",
                printable(text), printable(name), suggestion(name, kProtocols));
  }
  const auto ports = parse_ports(text.substr(slash + 1));
  if (!ports) return fail(Error(ports.error()).within(fmt::format("'{}'", printable(text))));
  return ForwardedPorts{*protocol, ports->first, ports->count};
}

Result<Forward> parse_forward(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view written_ports = text.substr(0, equals);
  if (equals == std::string_view::npos || written_ports.find('/') == std::string_view::npos) {
    return fail(ErrorCode::kBadInput, "'{}' is not a forward: {}", printable(text), kExample);
  }
  const auto ports = parse_forwarded_ports(written_ports);
  if (!ports) return fail(ports.error());
  const auto within = [&](const Error& error) {
    return fail(Error(error).within(fmt::format("'{}'", printable(text))));
  };
  std::string_view target_ports;
  const auto fixed = split_target(text.substr(equals + 1), target_ports);
  if (!fixed) return within(fixed.error());
  const auto targets = parse_ports(target_ports);
  if (!targets) return within(targets.error());
  if (targets->count != ports->count) {
    return fail(ErrorCode::kBadInput, "'{}': {} ports to {}: both ranges must be of one length",
                printable(text), ports->count, targets->count);
  }
  return Forward{ports->protocol, ports->port, ports->count, *fixed, targets->first};
}

ForwardedPorts ports_of(const Forward& forward) {
  return {forward.protocol, forward.port, forward.count};
}

std::string to_string(const ForwardedPorts& ports) {
  return fmt::format("{}/{}", name_of(ports.protocol), ports_text(ports.port, ports.count));
}

std::string to_string(const Forward& forward) {
  const bool v6 = forward.fixed.is_v6();
  return fmt::format("{}={}{}{}:{}", to_string(ports_of(forward)), v6 ? "[" : "", forward.fixed,
                     v6 ? "]" : "", ports_text(forward.fixed_port, forward.count));
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
    default:
      return "tcp";
  }
}

Outcome put_in_order(std::vector<Forward>& forwards) {
  std::size_t ports = 0;
  for (const Forward& forward : forwards) ports += forward.count;
  if (ports > kMaxForwardedPorts) {
    return fail(ErrorCode::kLimit, "{} ports are more than the {} that one floating IP forwards",
                ports, kMaxForwardedPorts);
  }
  std::sort(forwards.begin(), forwards.end(), comes_before);
  for (std::size_t i = 1; i < forwards.size(); ++i) {
    const Forward& before = forwards[i - 1];
    const Forward& here = forwards[i];
    if (before.protocol != here.protocol || before.port + before.count <= here.port) continue;
    return fail(ErrorCode::kBadInput, "{}/{} is forwarded twice: by {} and by {}",
                name_of(here.protocol), here.port, to_string(before), to_string(here));
  }
  return success();
}

Target target_of(const Binding& binding) { return {binding.fixed, binding.forwards()}; }

std::string to_string(const Target& target) {
  const std::vector<Forward>& forwards = target.forwards;
  if (forwards.empty()) return target.fixed.to_string();
  if (forwards.size() == 1) return to_string(forwards.front());
  return fmt::format("{} and {} more", to_string(forwards.front()), forwards.size() - 1);
}

}  // namespace fipd
