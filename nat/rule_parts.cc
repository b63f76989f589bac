#include "nat/rule_parts.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace fipd::nat {
namespace {

const Layout& layout_of(const IpAddress& address) { return address.is_v4() ? kV4 : kV6; }

std::string compare(std::string_view value) { return fmt::format("[ cmp eq reg 1 {} ]\n", value); }

// Of a word of flags: whether any of these is set.
std::string any_of(std::uint32_t flags) {
  return fmt::format(
      "[ bitwise reg 1 = ( reg 1 & 0x{:08x} ) ^ 0x00000000 ]\n[ cmp neq reg 1 0x00000000 ]\n",
      flags);
}

Part if_in(const Layout& layout, std::string_view which, unsigned offset, std::string_view set) {
  return {fmt::format("{} {} @{}", layout.word, which, set),
          in_family(layout) + load(layout.length, offset, 1) +
              fmt::format("[ lookup reg 1 set {} ]\n", set)};
}

std::array<std::uint8_t, 2> in_network_order(std::uint16_t number) {
  return {static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

}  // namespace

const Layout kV4{AF_INET, "ip", NFPROTO_IPV4, 4, 12, 16};
const Layout kV6{AF_INET6, "ip6", NFPROTO_IPV6, 16, 8, 24};

Rule rule_of(std::initializer_list<Part> parts, std::string comment) {
  Rule rule;
  for (const Part& part : parts) {
    if (!rule.text.empty() && !part.text.empty()) rule.text += ' ';
    rule.text += part.text;
    rule.expressions += part.expressions;
  }
  rule.comment = std::move(comment);
  return rule;
}

std::string words(std::span<const std::uint8_t> bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(4, bytes.size() - at));
    out += fmt::format("{}0x{:08x}", at == 0 ? "" : " ", word);
  }
  return out;
}

std::string words(std::initializer_list<std::uint8_t> bytes) {
  return words(std::span(bytes.begin(), bytes.size()));
}

std::string words(const IpAddress& address) {
  const AddressBytes bytes = to_bytes(address);
  return words(std::span(bytes.data, bytes.size));
}

std::string in_family(const Layout& layout) {
  return fmt::format("[ meta load nfproto => reg 1 ]\n[ cmp eq reg 1 {} ]\n",
                     words({layout.nfproto}));
}

std::string load(unsigned length, unsigned offset, unsigned target) {
  return fmt::format("[ payload load {}b @ network header + {} => reg {} ]\n", length, offset,
                     target);
}

Part accept() { return {"accept", "[ immediate reg 0 accept ]\n"}; }

Part drop() { return {"drop", "[ immediate reg 0 drop ]\n"}; }

Part if_translated() {
  return {"ct status dnat", "[ ct load status => reg 1 ]\n" + any_of(IPS_DST_NAT)};
}

Part if_first() {
  return {"ct state new ct status ! confirmed",
          "[ ct load state => reg 1 ]\n" + any_of(NF_CT_STATE_BIT(IP_CT_NEW)) +
              fmt::format("[ ct load status => reg 1 ]\n"
                          "[ bitwise reg 1 = ( reg 1 & 0x{:08x} ) ^ 0x00000000 ]\n"
                          "[ cmp eq reg 1 0x00000000 ]\n",
                          static_cast<unsigned>(IPS_CONFIRMED))};
}

Part if_served() {
  return {"ct status seen-reply,snat,dnat",
          "[ ct load status => reg 1 ]\n" + any_of(IPS_SEEN_REPLY | IPS_SRC_NAT | IPS_DST_NAT)};
}

Part if_from(std::string_view interface) {
  // A whole name is compared with the zeros after it, a beginning without.
  std::array<std::uint8_t, IFNAMSIZ> bytes{};
  const bool whole = !interface.ends_with('*');
  const std::string_view name = interface.substr(0, interface.size() - (whole ? 0 : 1));
  const std::size_t length = std::min<std::size_t>(name.size(), IFNAMSIZ - 1);
  std::memcpy(bytes.data(), name.data(), length);
  return {fmt::format("iifname \"{}\"", interface),
          "[ meta load iifname => reg 1 ]\n" +
              compare(words(std::span(bytes).first(whole ? IFNAMSIZ : length)))};
}

Part if_source_in(const Layout& layout, std::string_view set) {
  return if_in(layout, "saddr", layout.source, set);
}

Part if_destination_in(const Layout& layout, std::string_view set) {
  return if_in(layout, "daddr", layout.destination, set);
}

Part if_destination_is(const IpAddress& address) {
  const Layout& layout = layout_of(address);
  return {fmt::format("{} daddr {}", layout.word, address),
          in_family(layout) + load(layout.length, layout.destination, 1) + compare(words(address))};
}

Part if_called(const IpAddress& address) {
  const Layout& layout = layout_of(address);
  return {fmt::format("ct original {} daddr {}", layout.word, address),
          fmt::format("[ ct load dst_{} => reg 1 , dir original ]\n", layout.word) +
              compare(words(address))};
}

Part if_to_tcp_port(std::uint16_t port) {
  return {fmt::format("tcp dport {}", port),
          "[ meta load l4proto => reg 1 ]\n" + compare(words({IPPROTO_TCP})) +
              "[ payload load 2b @ transport header + 2 => reg 1 ]\n" +
              compare(words(in_network_order(port)))};
}

Part dnat_to(const Endpoint& endpoint) {
  const Layout& layout = layout_of(endpoint.address);
  const char* form = endpoint.address.is_v4() ? "dnat ip to {}:{}" : "dnat ip6 to [{}]:{}";
  return {
      fmt::format(fmt::runtime(form), endpoint.address, endpoint.port),
      fmt::format("[ immediate reg 1 {} ]\n[ immediate reg 2 {} ]\n"
                  "[ nat dnat {} addr_min reg 1 proto_min reg 2 ]\n",
                  words(endpoint.address), words(in_network_order(endpoint.port)), layout.word)};
}

}  // namespace fipd::nat
