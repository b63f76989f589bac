#include "nat/ruleset.h"

#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <string_view>

#include "nat/ruleset_rules.h"
#include "nat/ruleset_sets.h"

namespace fipd::nat {
namespace {

// The kernel gives chains in the order of their creation, which says nothing.
template <typename Named>
const Named* by_name(const std::vector<Named>& all, std::string_view name) {
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  return at == all.end() ? nullptr : &*at;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool guards(const RulesetOptions& options) {
  return !ranges_of(options.guarded, AF_INET).empty() ||
         !ranges_of(options.guarded, AF_INET6).empty();
}

SetDescription without_elements(SetDescription set) {
  set.elements.clear();
  return set;
}

void compare_rules(const ChainDescription& wanted, const ChainDescription& actual,
                   std::vector<std::string>& out) {
  if (wanted.rules == actual.rules) return;
  if (wanted.rules.size() != actual.rules.size()) {
    out.push_back(fmt::format("chain {} has {} rules instead of {}", wanted.name,
                              actual.rules.size(), wanted.rules.size()));
    return;
  }
  const auto at = std::mismatch(wanted.rules.begin(), wanted.rules.end(), actual.rules.begin());
  out.push_back(fmt::format("chain {}: rule {} is not as it should be", wanted.name,
                            at.first - wanted.rules.begin() + 1));
}

void compare_chain(const ChainDescription& wanted, const ChainDescription* actual,
                   std::vector<std::string>& out) {
  if (actual == nullptr) {
    out.push_back(fmt::format("chain {} is missing", wanted.name));
    return;
  }
  if (wanted.type != actual->type || wanted.hook != actual->hook ||
      wanted.priority != actual->priority) {
    out.push_back(fmt::format("chain {} is at the wrong hook (priority {} instead of {})",
                              wanted.name, actual->priority, wanted.priority));
  } else if (wanted.policy != actual->policy) {
    out.push_back(fmt::format("chain {} has the wrong policy", wanted.name));
  }
  compare_rules(wanted, *actual, out);
}

void compare_set(const SetDescription& wanted, const SetDescription* actual,
                 std::vector<std::string>& out) {
  if (actual == nullptr) {
    out.push_back(fmt::format("{} {} is missing", kind_of(wanted), wanted.name));
  } else if (without_elements(wanted) != without_elements(*actual)) {
    out.push_back(fmt::format("{} {} is of the wrong type", kind_of(wanted), wanted.name));
  } else if (wanted.elements != actual->elements) {
    out.push_back(fmt::format("set {} has other prefixes", wanted.name));
  }
}

}  // namespace

RulesetOptions with_sticky(RulesetOptions options, const TableDescription& actual) {
  const auto there = [&](Map map) {
    return by_name(actual.sets, map_name(map, AF_INET)) != nullptr ||
           by_name(actual.sets, map_name(map, AF_INET6)) != nullptr;
  };
  options.forwards |= there(Map::kForwards);
  options.limits |= there(Map::kRateIn) || there(Map::kRateOut) || there(Map::kNewConnections) ||
                    there(Map::kConnections);
  return options;
}

Outcome check(const RulesetOptions& options) {
  for (const std::string& name : options.metadata.interfaces) {
    const std::size_t length = name.ends_with('*') ? name.size() - 1 : name.size();
    const auto plain = [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '@' || c == ':';
    };
    const bool good = length > 0 && name.size() < IFNAMSIZ &&
                      std::all_of(name.begin(), name.begin() + static_cast<long>(length), plain);
    if (!good) {
      return fail(
          ErrorCode::kBadInput,
          "metadata: '{}' is no interface: write a name, or the beginning of names and a '*', "
          "of at most 15 letters, digits and '-_.@:' in all",
          name);
    }
  }
  for (const Endpoint& endpoint : options.metadata.listen) {
    if (endpoint.port == 0 || endpoint.address.is_unspecified()) {
      return fail(ErrorCode::kBadInput,
                  "metadata: {} port {} is nothing to redirect to: name an address and a port",
                  endpoint.address, endpoint.port);
    }
  }
  return {};
}

TableDescription describe(const RulesetOptions& options) {
  TableDescription out;
  out.exists = true;
  if (guards(options)) out.counters.emplace_back(kUntranslated);
  for (SetDefinition& set : sets_of(options)) out.sets.push_back(std::move(set.description));
  for (const Chain& chain : chains_of(options)) {
    ChainDescription description = chain.description;
    for (const Rule& rule : chain.rules) description.rules.push_back(rule.expressions);
    out.chains.push_back(std::move(description));
  }
  return out;
}

std::vector<std::string> differences(const TableDescription& wanted,
                                     const TableDescription& actual) {
  std::vector<std::string> out;
  if (!actual.exists) {
    out.emplace_back("the table is missing");
    return out;
  }
  if (actual.dormant) out.emplace_back("the table is dormant");
  for (const ChainDescription& chain : wanted.chains) {
    compare_chain(chain, by_name(actual.chains, chain.name), out);
  }
  for (const SetDescription& set : wanted.sets) {
    compare_set(set, by_name(actual.sets, set.name), out);
  }
  for (const ChainDescription& chain : actual.chains) {
    if (by_name(wanted.chains, chain.name) == nullptr) {
      out.push_back(fmt::format("chain {} is not fipd's", chain.name));
    }
  }
  for (const SetDescription& set : actual.sets) {
    if (by_name(wanted.sets, set.name) == nullptr) {
      out.push_back(fmt::format("{} {} is not fipd's", kind_of(set), set.name));
    }
  }
  for (const std::string& counter : wanted.counters) {
    if (!contains(actual.counters, counter)) {
      out.push_back(fmt::format("counter {} is missing", counter));
    }
  }
  for (const std::string& counter : actual.counters) {
    if (!contains(wanted.counters, counter)) {
      out.push_back(fmt::format("counter {} is not fipd's", counter));
    }
  }
  return out;
}

std::string render(const RulesetOptions& options, const TableDescription& actual) {
  const TableDescription wanted = describe(options);
  const std::string& table = options.table;
  std::string out = fmt::format(
      "add table inet {} {{ comment \"floating IPs, kept by fipd: changes by hand are undone\"; "
      "}}\n",
      table);
  // The kernel refuses to wake a table and to touch its base chains in one transaction.
  if (actual.dormant) return out;

  // Rules first: they hold the sets and the chains that they jump to.
  if (actual.exists) out += fmt::format("flush table inet {}\n", table);
  for (const SetDescription& set : actual.sets) {
    const SetDescription* keep = by_name(wanted.sets, set.name);
    // Not interval sets, whose elements are text of ours.
    const bool stays = (set.flags & NFT_SET_INTERVAL) == 0;
    if (keep != nullptr && stays && *keep == set) continue;
    out += fmt::format("delete {} inet {} {}\n", kind_of(set), table, set.name);
  }
  for (const ChainDescription& chain : actual.chains) {
    out += fmt::format("delete chain inet {} {}\n", table, chain.name);
  }
  for (const std::string& counter : actual.counters) {
    if (contains(wanted.counters, counter)) continue;  // it goes on counting
    out += fmt::format("delete counter inet {} {}\n", table, counter);
  }
  for (const std::string& counter : wanted.counters) {
    if (contains(actual.counters, counter)) continue;
    out += fmt::format("add counter inet {} {} {{ comment \"dropped by the guard\"; }}\n", table,
                       counter);
  }
  for (const SetDefinition& set : sets_of(options)) out += fmt::format("add {}\n", set.text);
  for (const Chain& chain : chains_of(options)) out += render(table, chain);
  return out;
}

}  // namespace fipd::nat
