#include "nat/ruleset_rules.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <sys/socket.h>

#include <cstring>
#include <initializer_list>
#include <string_view>

namespace fipd::nat {
namespace {

// Where an address lies in its header, and how nft writes the family.
struct Layout {
  int family;
  std::string_view word;  // "ip", "ip6"
  std::uint8_t nfproto;
  unsigned length;
  unsigned source;
  unsigned destination;
};
constexpr Layout kV4{AF_INET, "ip", NFPROTO_IPV4, 4, 12, 16};
constexpr Layout kV6{AF_INET6, "ip6", NFPROTO_IPV6, 16, 8, 24};

// Registers hold 32-bit words, and libnftnl prints them in the host's order.
std::string words(std::initializer_list<std::uint8_t> bytes) {
  std::string out;
  const auto* data = bytes.begin();
  for (std::size_t at = 0; at < bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, data + at, std::min<std::size_t>(4, bytes.size() - at));
    out += fmt::format("{}0x{:08x}", at == 0 ? "" : " ", word);
  }
  return out;
}

std::string joined(std::initializer_list<std::string> lines) {
  std::string out;
  for (const std::string& line : lines) out += line;
  return out;
}

std::string in_family(const Layout& layout) {
  return fmt::format("[ meta load nfproto => reg 1 ]\n[ cmp eq reg 1 {} ]\n",
                     words({layout.nfproto}));
}

std::string load(unsigned length, unsigned offset, unsigned target) {
  return fmt::format("[ payload load {}b @ network header + {} => reg {} ]\n", length, offset,
                     target);
}

std::string is_translated() {
  return fmt::format(
      "[ ct load status => reg 1 ]\n"
      "[ bitwise reg 1 = ( reg 1 & 0x{:08x} ) ^ 0x00000000 ]\n"
      "[ cmp neq reg 1 0x00000000 ]\n",
      static_cast<unsigned>(IPS_DST_NAT));
}

std::string translate(std::string_view kind, const Layout& layout, const std::string& map) {
  return fmt::format("[ lookup reg 1 set {} dreg 1 ]\n[ nat {} {} addr_min reg 1 ]\n", map, kind,
                     layout.word);
}

const char* const kAccept = "[ immediate reg 0 accept ]\n";

Rule to_instance(const Layout& layout) {
  const std::string map = map_name(Map::kFixedByFloating, layout.family);
  return {fmt::format("dnat {0} to {0} daddr map @{1}", layout.word, map),
          joined({in_family(layout), load(layout.length, layout.destination, 1),
                  translate("dnat", layout, map)}),
          ""};
}

Rule to_floating(const Layout& layout) {
  const std::string map = map_name(Map::kFloatingByFixed, layout.family);
  return {fmt::format("snat {0} to {0} saddr map @{1}", layout.word, map),
          joined({in_family(layout), load(layout.length, layout.source, 1),
                  translate("snat", layout, map)}),
          "leaves under its floating IP"};
}

Rule between_floating(const Layout& layout) {
  Rule rule = to_floating(layout);
  return {"ct status dnat " + rule.text, is_translated() + rule.expressions,
          "called a floating IP: seen as one, too"};
}

// The floating IP by which it called is the connection's original destination, whatever was
// forwarded and however many it has.
Rule hairpin(const Layout& layout) {
  const std::string set = map_name(Map::kHairpin, layout.family);
  const unsigned second = layout.family == AF_INET ? 9 : 2;
  return {fmt::format("ct status dnat {0} saddr . {0} daddr @{1} snat {0} to ct original {0} daddr",
                      layout.word, set),
          joined({is_translated(), in_family(layout), load(layout.length, layout.source, 1),
                  load(layout.length, layout.destination, second),
                  fmt::format("[ lookup reg 1 set {} ]\n", set),
                  fmt::format("[ ct load dst_{} => reg 1 , dir original ]\n", layout.word),
                  fmt::format("[ nat snat {} addr_min reg 1 ]\n", layout.word)}),
          "calls itself by its floating IP"};
}

Rule stays_inside(const Layout& layout) {
  const std::string set = internal_name(layout.family);
  return {fmt::format("{} daddr @{} accept", layout.word, set),
          joined({in_family(layout), load(layout.length, layout.destination, 1),
                  fmt::format("[ lookup reg 1 set {} ]\n", set), kAccept}),
          "inside the cloud: fixed IPs"};
}

std::vector<Rule> never_outbound(const Layout& layout) {
  const std::string family = in_family(layout);
  const std::string whole = load(layout.length, layout.destination, 1);
  if (layout.family == AF_INET) {
    return {{"ip daddr 169.254.0.0/16 accept",
             joined({family, load(2, layout.destination, 1),
                     fmt::format("[ cmp eq reg 1 {} ]\n", words({169, 254})), kAccept}),
             "link-local, metadata"},
            {"ip daddr 224.0.0.0/4 accept",
             joined({family, whole,
                     fmt::format("[ bitwise reg 1 = ( reg 1 & {} ) ^ 0x00000000 ]\n",
                                 words({0xf0, 0, 0, 0})),
                     fmt::format("[ cmp eq reg 1 {} ]\n", words({0xe0, 0, 0, 0})), kAccept}),
             "multicast"},
            {"ip daddr 255.255.255.255 accept",
             joined({family, whole, "[ cmp eq reg 1 0xffffffff ]\n", kAccept}), "broadcast"}};
  }
  const std::string zeros = words({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const std::string mask = words({0xff, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  const std::string prefix = words({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  return {
      {"ip6 daddr fe80::/10 accept",
       joined({family, whole, fmt::format("[ bitwise reg 1 = ( reg 1 & {} ) ^ {} ]\n", mask, zeros),
               fmt::format("[ cmp eq reg 1 {} ]\n", prefix), kAccept}),
       "link-local, metadata"},
      {"ip6 daddr ff00::/8 accept",
       joined({family, load(1, layout.destination, 1),
               fmt::format("[ cmp eq reg 1 {} ]\n", words({0xff})), kAccept}),
       "multicast"}};
}

Chain base_chain(std::string name, unsigned hook, int priority, std::string_view priority_word,
                 std::string comment) {
  Chain chain;
  chain.hook = fmt::format("{} priority {}", name, priority_word);
  chain.description.name = std::move(name);
  chain.description.type = "nat";
  chain.description.hook = hook;
  chain.description.priority = priority;
  chain.description.policy = NF_ACCEPT;
  chain.comment = std::move(comment);
  return chain;
}

std::vector<Rule> egress_rules(const RulesetOptions& options) {
  std::vector<Rule> rules{between_floating(kV4), between_floating(kV6)};
  if (has(options, Map::kHairpin)) {
    rules.push_back(hairpin(kV4));
    rules.push_back(hairpin(kV6));
  }
  for (const Layout& layout : {kV4, kV6}) {
    for (Rule& rule : never_outbound(layout)) rules.push_back(std::move(rule));
    // A rule on an empty set would only puzzle its reader.
    if (!ranges_of(options.internal, layout.family).empty()) rules.push_back(stays_inside(layout));
  }
  rules.push_back(to_floating(kV4));
  rules.push_back(to_floating(kV6));
  return rules;
}

}  // namespace

std::string internal_name(int family) { return family == AF_INET ? "internal" : "internal6"; }

std::vector<Chain> chains_of(const RulesetOptions& options) {
  Chain prerouting =
      base_chain("prerouting", NF_INET_PRE_ROUTING, kDestinationPriority, "dstnat - 10",
                 "from the network and from instances: to floating IPs");
  prerouting.rules = {to_instance(kV4), to_instance(kV6)};
  // nft 1.0.6 does not know the word dstnat here.
  Chain output = base_chain("output", NF_INET_LOCAL_OUT, kDestinationPriority, "-110",
                            "from the host itself: to floating IPs");
  output.rules = {to_instance(kV4), to_instance(kV6)};
  Chain postrouting = base_chain("postrouting", NF_INET_POST_ROUTING, kSourcePriority,
                                 "srcnat - 10", "from instances: under their floating IPs");
  if (options.snat == SnatMode::kEgress) {
    postrouting.rules = egress_rules(options);
  } else {
    postrouting.rules = {hairpin(kV4), hairpin(kV6)};
  }
  return {std::move(prerouting), std::move(output), std::move(postrouting)};
}

std::string render(const std::string& table, const Chain& chain) {
  std::string out =
      fmt::format("add chain inet {} {} {{ type nat hook {}; policy accept; comment \"{}\"; }}\n",
                  table, chain.description.name, chain.hook, chain.comment);
  for (const Rule& rule : chain.rules) {
    out += fmt::format("add rule inet {} {} {}", table, chain.description.name, rule.text);
    if (!rule.comment.empty()) out += fmt::format(" comment \"{}\"", rule.comment);
    out += '\n';
  }
  return out;
}

}  // namespace fipd::nat
