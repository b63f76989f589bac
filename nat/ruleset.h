#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nat/address_ranges.h"
#include "nat/nat_table.h"

namespace fipd::nat {

// The table's skeleton (all but the maps' elements) in two forms from one source: as nft text to
// load, and as a description that can be compared with what the kernel holds. All pure. A kernel
// test holds the two together: what the text loads reads back as the description.

// Before the nat chains of others at the usual priorities (dstnat, srcnat): who translates first
// has a connection.
inline constexpr int kDestinationPriority = -110;
inline constexpr int kSourcePriority = 90;

struct ChainDescription {
  std::string name;
  std::string type;   // "nat", "filter"; empty where it is no base chain
  unsigned hook = 0;  // NF_INET_*
  int priority = 0;
  unsigned policy = 0;             // NF_ACCEPT, NF_DROP
  std::vector<std::string> rules;  // expressions as libnftnl prints them, one a line

  friend bool operator==(const ChainDescription&, const ChainDescription&) = default;
};

struct SetDescription {
  std::string name;
  std::uint32_t flags = 0;     // NFT_SET_*
  std::uint32_t key_type = 0;  // nft's own numbers: 7 ipv4_addr, 8 ipv6_addr, 6 bits each
  std::uint32_t key_length = 0;
  std::uint32_t data_type = 0;
  std::uint32_t data_length = 0;
  std::uint32_t size = 0;              // 0: unlimited
  std::string expression;              // of every element, as libnftnl prints it
  std::vector<AddressRange> elements;  // of interval sets; never of maps

  friend bool operator==(const SetDescription&, const SetDescription&) = default;
};

struct TableDescription {
  bool exists = false;
  bool dormant = false;
  std::vector<ChainDescription> chains;
  std::vector<SetDescription> sets;   // and maps
  std::vector<std::string> counters;  // named ones

  friend bool operator==(const TableDescription&, const TableDescription&) = default;
};

// The counter object of what the guard dropped.
inline constexpr const char* kUntranslated = "untranslated";

// "fixed_by_floating", "fixed_by_floating6"...: `family` is AF_INET or AF_INET6.
[[nodiscard]] std::string map_name(Map map, int family);

// "map" or "set".
[[nodiscard]] const char* kind_of(const SetDescription& set);

// The options with those features that the table has already and keeps.
[[nodiscard]] RulesetOptions with_sticky(RulesetOptions options, const TableDescription& actual);
// Whether nft text can be made of them: kBadInput names what cannot be.
[[nodiscard]] Outcome check(const RulesetOptions& options);

[[nodiscard]] TableDescription describe(const RulesetOptions& options);

// What is not as wanted, in words ("chain postrouting is missing"); empty where all is.
[[nodiscard]] std::vector<std::string> differences(const TableDescription& wanted,
                                                   const TableDescription& actual);

// One transaction that makes `actual` what `options` say. Chains and rules are written anew, maps
// of the right type stay with their elements, everything else of the table goes.
[[nodiscard]] std::string render(const RulesetOptions& options, const TableDescription& actual);

}  // namespace fipd::nat
