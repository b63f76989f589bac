#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "daemon/base/address.h"
#include "nat/element.h"
#include "nat/ruleset_rules.h"

namespace fipd::nat {

// The pieces of rules: each as a person writes it beside what nft 1.0.6 makes of it, as libnftnl
// prints that. Pure.

// Where an address lies in its header, and how nft writes the family.
struct Layout {
  int family;
  std::string_view word;  // "ip", "ip6"
  std::uint8_t nfproto;
  unsigned length;
  unsigned source;
  unsigned destination;
};
extern const Layout kV4;
extern const Layout kV6;

struct Part {
  std::string text;
  std::string expressions;
};
[[nodiscard]] Rule rule_of(std::initializer_list<Part> parts, std::string comment = "");

// Bytes as registers hold them: 32-bit words, which libnftnl prints in the host's order.
[[nodiscard]] std::string words(std::span<const std::uint8_t> bytes);
[[nodiscard]] std::string words(std::initializer_list<std::uint8_t> bytes);
[[nodiscard]] std::string words(const IpAddress& address);

[[nodiscard]] std::string in_family(const Layout& layout);
[[nodiscard]] std::string load(unsigned length, unsigned offset, unsigned target);

[[nodiscard]] Part accept();
[[nodiscard]] Part drop();
[[nodiscard]] Part if_translated();  // ct status dnat
// The first packet of a connection. State "new" alone is also every further packet of one that
// nobody has answered, as UDP need not be.
[[nodiscard]] Part if_first();
// Translated, or somebody has answered.
[[nodiscard]] Part if_served();
// "tap*", or a whole name.
[[nodiscard]] Part if_from(std::string_view interface);
[[nodiscard]] Part if_source_in(const Layout& layout, std::string_view set);
[[nodiscard]] Part if_destination_in(const Layout& layout, std::string_view set);
[[nodiscard]] Part if_destination_is(const IpAddress& address);
[[nodiscard]] Part if_called(const IpAddress& address);  // ct original ip daddr
[[nodiscard]] Part if_to_tcp_port(std::uint16_t port);
[[nodiscard]] Part dnat_to(const Endpoint& endpoint);

}  // namespace fipd::nat
