#pragma once

#include <string>
#include <vector>

#include "nat/nat_table.h"
#include "nat/ruleset.h"

namespace fipd::nat {

// The chains and their rules, each rule as a person writes it beside what nft makes of it: the one
// place to change when a rule changes. Pure.
struct Rule {
  std::string text;         // "ip daddr 169.254.0.0/16 accept"
  std::string expressions;  // "[ meta load nfproto => reg 1 ]\n..."
  std::string comment;      // may be empty
};

struct Chain {
  ChainDescription description;  // without rules
  std::string hook;              // "prerouting priority dstnat"
  std::string comment;
  std::vector<Rule> rules;
};

[[nodiscard]] std::vector<Chain> chains_of(const RulesetOptions& options);
// nft commands that create the chain and its rules.
[[nodiscard]] std::string render(const std::string& table, const Chain& chain);
// "internal", "internal6".
[[nodiscard]] std::string internal_name(int family);

}  // namespace fipd::nat
