#include "nat/ruleset_rules.h"

#include <linux/netfilter.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

#include "nat/rule_parts.h"
#include "nat/ruleset_filter.h"
#include "nat/ruleset_sets.h"

namespace fipd::nat {
namespace {

constexpr std::uint16_t kMetadataPort = 80;

IpAddress metadata_address(int family) {
  if (family == AF_INET) return boost::asio::ip::make_address("169.254.169.254");
  return boost::asio::ip::make_address("fe80::a9fe:a9fe");
}

// A map whose value is the address to translate to.
Part translate(std::string_view kind, const Layout& layout, unsigned offset, Map map) {
  const char* which = offset == layout.source ? "saddr" : "daddr";
  const std::string name = map_name(map, layout.family);
  return {fmt::format("{0} {1} to {1} {2} map @{3}", kind, layout.word, which, name),
          in_family(layout) + load(layout.length, offset, 1) +
              fmt::format("[ lookup reg 1 set {} dreg 1 ]\n[ nat {} {} addr_min reg 1 ]\n", name,
                          kind, layout.word)};
}

// Registers: concatenations lie in words of 32 bits, from 8 on; nft names one that is aligned to
// 128 bits by its old number.
Part forward(const Layout& layout) {
  const bool v4 = layout.family == AF_INET;
  const std::string map = map_name(Map::kForwards, layout.family);
  return {fmt::format("dnat {0} to {0} daddr . meta l4proto . th dport map @{1}", layout.word, map),
          in_family(layout) + load(layout.length, layout.destination, 1) +
              fmt::format("[ meta load l4proto => reg {} ]\n"
                          "[ payload load 2b @ transport header + 2 => reg {} ]\n"
                          "[ lookup reg 1 set {} dreg 1 ]\n"
                          "[ nat dnat {} addr_min reg 1 proto_min reg {} ]\n",
                          v4 ? 9 : 2, v4 ? 10 : 13, map, layout.word, v4 ? 9 : 2)};
}

Rule to_floating(const Layout& layout) {
  return rule_of({translate("snat", layout, layout.source, Map::kFloatingByFixed)},
                 "leaves under its floating IP");
}

Rule between_floating(const Layout& layout) {
  return rule_of({if_translated(), translate("snat", layout, layout.source, Map::kFloatingByFixed)},
                 "called a floating IP: seen as one, too");
}

// The floating IP by which it called is the connection's original destination, whatever was
// forwarded and however many it has.
Rule hairpin(const Layout& layout) {
  const std::string set = map_name(Map::kHairpin, layout.family);
  const unsigned second = layout.family == AF_INET ? 9 : 2;
  return rule_of(
      {if_translated(),
       {fmt::format("{0} saddr . {0} daddr @{1}", layout.word, set),
        in_family(layout) + load(layout.length, layout.source, 1) +
            load(layout.length, layout.destination, second) +
            fmt::format("[ lookup reg 1 set {} ]\n", set)},
       {fmt::format("snat {0} to ct original {0} daddr", layout.word),
        fmt::format(
            "[ ct load dst_{0} => reg 1 , dir original ]\n[ nat snat {0} addr_min reg 1 ]\n",
            layout.word)}},
      "calls itself by its floating IP");
}

std::vector<Rule> never_outbound(const Layout& layout) {
  const std::string family = in_family(layout);
  const std::string whole = family + load(layout.length, layout.destination, 1);
  const auto compare = [](std::initializer_list<std::uint8_t> bytes) {
    return fmt::format("[ cmp eq reg 1 {} ]\n", words(bytes));
  };
  const auto masked = [](const std::string& mask, const std::string& zeros) {
    return fmt::format("[ bitwise reg 1 = ( reg 1 & {} ) ^ {} ]\n", mask, zeros);
  };
  if (layout.family == AF_INET) {
    return {rule_of({{"ip daddr 169.254.0.0/16",
                      family + load(2, layout.destination, 1) + compare({169, 254})},
                     accept()},
                    "link-local, metadata"),
            rule_of({{"ip daddr 224.0.0.0/4", whole + masked(words({0xf0, 0, 0, 0}), "0x00000000") +
                                                  compare({0xe0, 0, 0, 0})},
                     accept()},
                    "multicast"),
            rule_of({{"ip daddr 255.255.255.255", whole + compare({255, 255, 255, 255})}, accept()},
                    "broadcast")};
  }
  std::array<std::uint8_t, 16> bytes{};
  const std::string zeros = words(bytes);
  bytes[0] = 0xff;
  bytes[1] = 0xc0;
  const std::string mask = words(bytes);
  return {
      rule_of({{"ip6 daddr fe80::/10",
                whole + masked(mask, zeros) +
                    compare({0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})},
               accept()},
              "link-local, metadata"),
      rule_of({{"ip6 daddr ff00::/8", family + load(1, layout.destination, 1) + compare({0xff})},
               accept()},
              "multicast")};
}

void append_metadata(const RulesetOptions& options, std::vector<Rule>& out) {
  for (const std::string& interface : options.metadata.interfaces) {
    for (const int family : {AF_INET, AF_INET6}) {
      const Endpoint* listener = metadata_listener(options, family);
      if (listener == nullptr) continue;
      out.push_back(rule_of({if_from(interface), if_destination_is(metadata_address(family)),
                             if_to_tcp_port(kMetadataPort), dnat_to(*listener)},
                            "metadata of the instance"));
    }
  }
}

void append_translations(const RulesetOptions& options, std::vector<Rule>& out) {
  if (options.forwards) {
    for (const Layout& layout : {kV4, kV6}) out.push_back(rule_of({forward(layout)}));
  }
  for (const Layout& layout : {kV4, kV6}) {
    out.push_back(rule_of({translate("dnat", layout, layout.destination, Map::kFixedByFloating)}));
  }
}

void append_egress(const RulesetOptions& options, std::vector<Rule>& out) {
  for (const Layout& layout : {kV4, kV6}) {
    for (Rule& rule : never_outbound(layout)) out.push_back(std::move(rule));
    if (ranges_of(options.internal, layout.family).empty()) continue;
    out.push_back(rule_of({if_destination_in(layout, internal_name(layout.family)), accept()},
                          "inside the cloud: fixed IPs"));
  }
  for (const Layout& layout : {kV4, kV6}) out.push_back(to_floating(layout));
}

std::vector<Rule> postrouting_rules(const RulesetOptions& options) {
  std::vector<Rule> rules;
  for (const int family : {AF_INET, AF_INET6}) {
    if (metadata_listener(options, family) == nullptr) continue;
    rules.push_back(rule_of({if_called(metadata_address(family)), accept()},
                            "metadata knows instances by their fixed IPs"));
  }
  const bool egress = options.snat == SnatMode::kEgress;
  if (egress) {
    for (const Layout& layout : {kV4, kV6}) rules.push_back(between_floating(layout));
  }
  if (has(options, Map::kHairpin)) {
    for (const Layout& layout : {kV4, kV6}) rules.push_back(hairpin(layout));
  }
  if (egress) {
    // The maps have missed: what follows cannot translate it either. Most new connections come from
    // outside, and end here.
    rules.push_back(rule_of({if_translated(), accept()}, "called, by somebody without one"));
    append_egress(options, rules);
  }
  return rules;
}

// nft 1.0.6 knows the words only at the hooks of their origin.
std::string priority_text(unsigned hook, int priority) {
  if (hook == NF_INET_PRE_ROUTING && priority == kDestinationPriority) return "dstnat - 10";
  if (hook == NF_INET_POST_ROUTING && priority == kSourcePriority) return "srcnat - 10";
  return std::to_string(priority);
}

}  // namespace

const Endpoint* metadata_listener(const RulesetOptions& options, int family) {
  if (options.metadata.interfaces.empty()) return nullptr;
  const auto& all = options.metadata.listen;
  const auto at = std::find_if(all.begin(), all.end(), [&](const Endpoint& each) {
    return family_of(each.address) == family;
  });
  return at == all.end() ? nullptr : &*at;
}

Chain base_chain(std::string name, std::string_view type, unsigned hook, int priority,
                 std::string comment) {
  static constexpr std::array kHooks = {"prerouting", "input", "forward", "output", "postrouting"};
  Chain chain;
  chain.hook = fmt::format("{} priority {}", kHooks.at(hook), priority_text(hook, priority));
  chain.description.name = std::move(name);
  chain.description.type = type;
  chain.description.hook = hook;
  chain.description.priority = priority;
  chain.description.policy = NF_ACCEPT;
  chain.comment = std::move(comment);
  return chain;
}

std::vector<Chain> chains_of(const RulesetOptions& options) {
  std::vector<Chain> out = chains_before_nat(options);
  Chain prerouting = base_chain("prerouting", "nat", NF_INET_PRE_ROUTING, kDestinationPriority,
                                "from the network and from instances: to floating IPs");
  append_metadata(options, prerouting.rules);
  append_translations(options, prerouting.rules);
  out.push_back(std::move(prerouting));
  Chain output = base_chain("output", "nat", NF_INET_LOCAL_OUT, kDestinationPriority,
                            "from the host itself: to floating IPs");
  append_translations(options, output.rules);
  out.push_back(std::move(output));
  for (Chain& chain : chains_of_guards(options)) out.push_back(std::move(chain));
  Chain postrouting = base_chain("postrouting", "nat", NF_INET_POST_ROUTING, kSourcePriority,
                                 "from instances: under their floating IPs");
  postrouting.rules = postrouting_rules(options);
  out.push_back(std::move(postrouting));
  for (Chain& chain : chains_after_nat(options)) out.push_back(std::move(chain));
  return out;
}

std::string render(const std::string& table, const Chain& chain) {
  std::string out =
      fmt::format("add chain inet {} {} {{ type {} hook {}; policy accept; comment \"{}\"; }}\n",
                  table, chain.description.name, chain.description.type, chain.hook, chain.comment);
  for (const Rule& rule : chain.rules) {
    out += fmt::format("add rule inet {} {} {}", table, chain.description.name, rule.text);
    if (!rule.comment.empty()) out += fmt::format(" comment \"{}\"", rule.comment);
    out += '\n';
  }
  return out;
}

}  // namespace fipd::nat
