#include "nat/ruleset_filter.h"

#include <linux/netfilter.h>
#include <sys/socket.h>

#include "nat/rule_parts.h"
#include "nat/ruleset_sets.h"

namespace fipd::nat {
namespace {

// After connection tracking (-200) and before any translation: a packet to a floating address still
// has it for its destination.
constexpr int kBeforeNat = -150;
// After translation (100): a packet from a floating address has it for its source.
constexpr int kAfterNat = 110;
constexpr int kGuard = -10;

enum class Way { kIn, kOut };

Part if_metered(const Layout& layout, Way way, Map map) {
  const std::string set = map_name(map, layout.family);
  return way == Way::kIn ? if_destination_in(layout, set) : if_source_in(layout, set);
}

// A lookup alone counts: the element's own expression runs on every hit.
void append_counting(Way way, std::vector<Rule>& out) {
  const Map map = way == Way::kIn ? Map::kReceived : Map::kSent;
  for (const Layout& layout : {kV4, kV6}) out.push_back(rule_of({if_metered(layout, way, map)}));
}

// Before the number of connections is looked at, their rate is: what the rate refuses is then not
// counted among them.
void append_connection_limits(Way way, std::vector<Rule>& out) {
  for (const Map map : {Map::kNewConnections, Map::kConnections}) {
    for (const Layout& layout : {kV4, kV6}) {
      out.push_back(rule_of({if_first(), if_metered(layout, way, map), drop()},
                            map == Map::kConnections ? "too many at a time" : "too many a second"));
    }
  }
}

void append_bandwidth(Way way, std::vector<Rule>& out) {
  const Map map = way == Way::kIn ? Map::kRateIn : Map::kRateOut;
  for (const Layout& layout : {kV4, kV6}) {
    out.push_back(rule_of({if_metered(layout, way, map), drop()}, "over its bandwidth"));
  }
}

Chain meter(Chain chain, Way way, bool connections, const RulesetOptions& options) {
  if (options.accounting) append_counting(way, chain.rules);
  if (options.limits && connections) append_connection_limits(way, chain.rules);
  if (options.limits) append_bandwidth(way, chain.rules);
  return chain;
}

Rule goes_back(const Layout& layout) {
  const std::string set = guarded_name(layout.family);
  return rule_of({if_destination_in(layout, set),
                  {"fib daddr . iif oif exists",
                   "[ fib daddr . iif oif present => reg 1 ]\n[ cmp eq reg 1 0x00000001 ]\n"},
                  {fmt::format("counter name {}", kUntranslated),
                   fmt::format("[ objref type 1 name {} ]\n", kUntranslated)},
                  drop()},
                 "would go back where it came from");
}

bool to_loopback(const RulesetOptions& options, int family) {
  const Endpoint* listener = metadata_listener(options, family);
  return listener != nullptr && listener->address.is_loopback();
}

// What route_localnet opens for the redirect, it opens for every port of the host's own: closed
// here but for what was redirected. The last rule drops; one that accepts what is not redirected
// would not see packets that are not tracked.
std::vector<Rule> only_redirected(const RulesetOptions& options) {
  std::vector<Rule> rules{rule_of({if_translated(), accept()}, "redirected")};
  for (const std::string& interface : options.metadata.interfaces) {
    if (to_loopback(options, AF_INET)) {
      rules.push_back(
          rule_of({if_from(interface),
                   {"ip daddr 127.0.0.0/8", in_family(kV4) + load(1, kV4.destination, 1) +
                                                fmt::format("[ cmp eq reg 1 {} ]\n", words({127}))},
                   drop()},
                  "the host's own services"));
    }
    if (to_loopback(options, AF_INET6)) {
      rules.push_back(rule_of(
          {if_from(interface), if_destination_is(boost::asio::ip::address_v6::loopback()), drop()},
          "the host's own services"));
    }
  }
  return rules;
}

}  // namespace

std::vector<Chain> chains_before_nat(const RulesetOptions& options) {
  if (!options.accounting && !options.limits) return {};
  return {meter(base_chain("inbound", "filter", NF_INET_PRE_ROUTING, kBeforeNat,
                           "to floating IPs, before translation: counted and limited"),
                Way::kIn, true, options),
          meter(base_chain("inbound_from_host", "filter", NF_INET_LOCAL_OUT, kBeforeNat,
                           "the same, from the host itself"),
                Way::kIn, true, options)};
}

std::vector<Chain> chains_of_guards(const RulesetOptions& options) {
  std::vector<Chain> out;
  if (!ranges_of(options.guarded, AF_INET).empty() ||
      !ranges_of(options.guarded, AF_INET6).empty()) {
    Chain guard = base_chain("guard", "filter", NF_INET_FORWARD, kGuard,
                             "to floating IPs that nobody here has: no loop to the router");
    // What goes back to where it came from is neither. Looking up the set took a tenth of the
    // host's packets a second.
    guard.rules.push_back(rule_of({if_served(), accept()}, "translated or answered: no loop"));
    for (const Layout& layout : {kV4, kV6}) {
      if (!ranges_of(options.guarded, layout.family).empty()) {
        guard.rules.push_back(goes_back(layout));
      }
    }
    out.push_back(std::move(guard));
  }
  if (to_loopback(options, AF_INET) || to_loopback(options, AF_INET6)) {
    Chain loopback = base_chain("loopback", "filter", NF_INET_LOCAL_IN, kGuard,
                                "from instances to the host's loopback: metadata only");
    loopback.rules = only_redirected(options);
    out.push_back(std::move(loopback));
  }
  return out;
}

std::vector<Chain> chains_after_nat(const RulesetOptions& options) {
  if (!options.accounting && !options.limits) return {};
  return {meter(base_chain("outbound", "filter", NF_INET_POST_ROUTING, kAfterNat,
                           "from floating IPs, after translation: counted and limited"),
                Way::kOut, true, options),
          // Answers only: what an instance begins with the host is not translated.
          meter(base_chain("outbound_to_host", "filter", NF_INET_LOCAL_IN, kAfterNat,
                           "the same, to the host itself"),
                Way::kOut, false, options)};
}

}  // namespace fipd::nat
