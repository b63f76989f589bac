#include "nat/ruleset_sets.h"

#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <array>
#include <string_view>

#include "nat/element_shape.h"

namespace fipd::nat {
namespace {

// nft's own numbers of types; in a concatenation 6 bits each.
constexpr std::uint32_t kTypeV4 = 7;
constexpr std::uint32_t kTypeV6 = 8;
constexpr std::uint32_t kTypeProtocol = 12;
constexpr std::uint32_t kTypePort = 13;
constexpr unsigned kConcatBits = 6;

constexpr std::array kFamilies = {AF_INET, AF_INET6};

struct Words {
  const char* statement;   // of every element, as nft writes it; with values of no meaning
  const char* expression;  // the same as libnftnl prints it
  const char* comment;
};

Words words_of(Map map) {
  constexpr const char* kBytes = "limit rate over 1 bytes/second burst 5 bytes; ";
  constexpr const char* kBytesExpression = "[ limit rate 1/second burst 5 type bytes flags 0x1 ]\n";
  switch (map) {
    case Map::kFixedByFloating:
      return {"", "", "inbound: floating IP to instance"};
    case Map::kFloatingByFixed:
      return {"", "", "outbound: instance to floating IP"};
    case Map::kHairpin:
      return {"", "", "instances that may call their own floating IP"};
    case Map::kForwards:
      return {"", "", "inbound: port of a floating IP to port of an instance"};
    case Map::kReceived:
      return {"counter; ", "[ counter pkts 0 bytes 0 ]\n", "packets to floating IPs"};
    case Map::kSent:
      return {"counter; ", "[ counter pkts 0 bytes 0 ]\n", "packets from floating IPs"};
    case Map::kRateIn:
      return {kBytes, kBytesExpression, "bandwidth to floating IPs"};
    case Map::kRateOut:
      return {kBytes, kBytesExpression, "bandwidth from floating IPs"};
    case Map::kNewConnections:
      return {"limit rate over 1/second; ",
              "[ limit rate 1/second burst 5 type packets flags 0x1 ]\n", "new connections"};
    case Map::kConnections:
      // Not dynamic: of a dynamic set the kernel takes away elements that count nothing just now.
      // Those from before April 2025 (6.1.134) do it to any set.
      return {"ct count over 1; ", "[ connlimit count 1 flags 1 ]\n", "connections at a time"};
  }
  return {"", "", ""};
}

const char* type_name(int family) { return family == AF_INET ? "ipv4_addr" : "ipv6_addr"; }
std::uint32_t type_of(int family) { return family == AF_INET ? kTypeV4 : kTypeV6; }

SetDefinition definition(const std::string& table, Map map, int family) {
  const std::uint32_t address = type_of(family);
  const char* name = type_name(family);
  SetDefinition out;
  SetDescription& set = out.description;
  set.name = map_name(map, family);
  set.key_type = address;
  set.key_length = static_cast<std::uint32_t>(key_size(map, family == AF_INET6));
  set.data_length = static_cast<std::uint32_t>(data_size(map, family == AF_INET6));
  set.expression = words_of(map).expression;
  std::string types = name;
  if (map == Map::kFixedByFloating || map == Map::kFloatingByFixed) {
    set.data_type = address;
    types = fmt::format("{0} : {0}", name);
  } else if (map == Map::kHairpin) {
    set.key_type = address << kConcatBits | address;
    types = fmt::format("{0} . {0}", name);
  } else if (map == Map::kForwards) {
    set.key_type = (address << kConcatBits | kTypeProtocol) << kConcatBits | kTypePort;
    set.data_type = address << kConcatBits | kTypePort;
    types = fmt::format("{0} . inet_proto . inet_service : {0} . inet_service", name);
  }
  if (set.data_length != 0) set.flags = NFT_SET_MAP;
  out.text = fmt::format("{} inet {} {} {{ type {}; {}comment \"{}\"; }}", kind_of(set), table,
                         set.name, types, words_of(map).statement, words_of(map).comment);
  return out;
}

void append_interval(const RulesetOptions& options, const std::vector<Prefix>& prefixes, int family,
                     std::string name, std::string_view comment, std::vector<SetDefinition>& out) {
  SetDefinition definition;
  SetDescription& set = definition.description;
  set.elements = ranges_of(prefixes, family);
  // A rule on an empty set would only puzzle its reader.
  if (set.elements.empty()) return;
  set.name = std::move(name);
  set.flags = NFT_SET_INTERVAL;
  set.key_type = type_of(family);
  set.key_length = family == AF_INET ? 4 : 16;
  std::string elements;
  for (const AddressRange& range : set.elements) {
    elements += fmt::format("{}{}", elements.empty() ? "" : ", ", range.to_string());
  }
  definition.text = fmt::format(
      "set inet {} {} {{ type {}; flags interval; comment \"{}\"; elements = {{ {} }}; }}",
      options.table, set.name, type_name(family), comment, elements);
  out.push_back(std::move(definition));
}

}  // namespace

std::string internal_name(int family) { return family == AF_INET ? "internal" : "internal6"; }
std::string guarded_name(int family) { return family == AF_INET ? "pools" : "pools6"; }

std::string map_name(Map map, int family) {
  static constexpr std::array<std::string_view, kMapKinds> kNames = {
      "fixed_by_floating", "floating_by_fixed", "hairpin",         "forward",    "received", "sent",
      "rate_in",           "rate_out",          "new_connections", "connections"};
  return fmt::format("{}{}", kNames[static_cast<std::size_t>(map)], family == AF_INET ? "" : "6");
}

const char* kind_of(const SetDescription& set) {
  return (set.flags & NFT_SET_MAP) != 0 ? "map" : "set";
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

std::vector<SetDefinition> sets_of(const RulesetOptions& options) {
  std::vector<SetDefinition> out;
  for (unsigned kind = 0; kind < kMapKinds; ++kind) {
    const auto map = static_cast<Map>(kind);
    if (!has(options, map)) continue;
    for (const int family : kFamilies) out.push_back(definition(options.table, map, family));
  }
  for (const int family : kFamilies) {
    append_interval(options, options.internal, family, internal_name(family),
                    "never leaves under a floating IP", out);
    append_interval(options, options.guarded, family, guarded_name(family),
                    "floating IPs: translated here, or not forwarded back", out);
  }
  return out;
}

}  // namespace fipd::nat
