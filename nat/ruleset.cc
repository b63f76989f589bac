#include "nat/ruleset.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "nat/ruleset_rules.h"

namespace fipd::nat {
namespace {

constexpr std::uint32_t kTypeV4 = 7;
constexpr std::uint32_t kTypeV6 = 8;
constexpr unsigned kConcatBits = 6;

constexpr std::array kMaps = {Map::kFixedByFloating, Map::kFloatingByFixed, Map::kHairpin};
constexpr std::array kFamilies = {AF_INET, AF_INET6};

const char* comment_of(Map map) {
  switch (map) {
    case Map::kFixedByFloating:
      return "inbound: floating IP to instance";
    case Map::kFloatingByFixed:
      return "outbound: instance to floating IP";
    case Map::kHairpin:
      return "instances that may call their own floating IP";
    default:
      return "";
  }
}

const char* type_name(int family) { return family == AF_INET ? "ipv4_addr" : "ipv6_addr"; }

SetDescription map_description(Map map, int family) {
  SetDescription out;
  out.name = map_name(map, family);
  const std::uint32_t type = family == AF_INET ? kTypeV4 : kTypeV6;
  const std::uint32_t length = family == AF_INET ? 4 : 16;
  if (map == Map::kHairpin) {
    out.key_type = type << kConcatBits | type;
    out.key_length = 2 * length;
    return out;
  }
  out.flags = NFT_SET_MAP;
  out.key_type = out.data_type = type;
  out.key_length = out.data_length = length;
  return out;
}

std::string map_text(const std::string& table, Map map, int family) {
  const std::string_view type = type_name(family);
  const std::string types =
      map == Map::kHairpin ? fmt::format("{0} . {0}", type) : fmt::format("{0} : {0}", type);
  return fmt::format("add {} inet {} {} {{ type {}; comment \"{}\"; }}\n",
                     map == Map::kHairpin ? "set" : "map", table, map_name(map, family), types,
                     comment_of(map));
}

SetDescription internal_description(const RulesetOptions& options, int family) {
  SetDescription out;
  out.name = internal_name(family);
  out.flags = NFT_SET_INTERVAL;
  out.key_type = family == AF_INET ? kTypeV4 : kTypeV6;
  out.key_length = family == AF_INET ? 4 : 16;
  out.elements = ranges_of(options.internal, family);
  return out;
}

std::string internal_text(const std::string& table, int family, const SetDescription& set) {
  std::string elements;
  for (const AddressRange& range : set.elements) {
    elements += fmt::format("{}{}", elements.empty() ? "" : ", ", range.to_string());
  }
  return fmt::format(
      "add set inet {} {} {{ type {}; flags interval; comment \"never leaves under a floating "
      "IP\"; elements = {{ {} }}; }}\n",
      table, set.name, type_name(family), elements);
}

// The kernel gives chains in the order of their creation, which says nothing.
template <typename Named>
const Named* by_name(const std::vector<Named>& all, std::string_view name) {
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  return at == all.end() ? nullptr : &*at;
}

const char* kind_of(const SetDescription& set) {
  return (set.flags & NFT_SET_MAP) != 0 ? "map" : "set";
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

std::string map_name(Map map, int family) {
  static constexpr std::array<std::string_view, kMapKinds> kNames = {
      "fixed_by_floating", "floating_by_fixed", "hairpin",         "forward",    "received", "sent",
      "rate_in",           "rate_out",          "new_connections", "connections"};
  return fmt::format("{}{}", kNames[static_cast<std::size_t>(map)], family == AF_INET ? "" : "6");
}

bool has(const RulesetOptions& options, Map map) {
  switch (map) {
    case Map::kFixedByFloating:
    case Map::kFloatingByFixed:
      return true;
    case Map::kHairpin:
      return options.forwards || options.snat == SnatMode::kHairpin;
    case Map::kForwards:
      return options.forwards;
    case Map::kReceived:
    case Map::kSent:
      return options.accounting;
    default:
      return options.limits;
  }
}

TableDescription describe(const RulesetOptions& options) {
  TableDescription out;
  out.exists = true;
  for (const Map map : kMaps) {
    if (!has(options, map)) continue;
    for (const int family : kFamilies) out.sets.push_back(map_description(map, family));
  }
  for (const int family : kFamilies) {
    SetDescription internal = internal_description(options, family);
    if (!internal.elements.empty()) out.sets.push_back(std::move(internal));
  }
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

  for (const Map map : kMaps) {
    if (!has(options, map)) continue;
    for (const int family : kFamilies) out += map_text(table, map, family);
  }
  for (const int family : kFamilies) {
    const SetDescription* internal = by_name(wanted.sets, internal_name(family));
    if (internal != nullptr) out += internal_text(table, family, *internal);
  }
  for (const Chain& chain : chains_of(options)) out += render(table, chain);
  return out;
}

}  // namespace fipd::nat
