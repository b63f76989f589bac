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

// In the order in which a packet meets them.
[[nodiscard]] std::vector<Chain> chains_of(const RulesetOptions& options);
[[nodiscard]] Chain base_chain(std::string name, std::string_view type, unsigned hook, int priority,
                               std::string comment);

// nft commands that create the chain and its rules.
[[nodiscard]] std::string render(const std::string& table, const Chain& chain);

// The redirect of that family, where there is one.
[[nodiscard]] const Endpoint* metadata_listener(const RulesetOptions& options, int family);

}  // namespace fipd::nat
