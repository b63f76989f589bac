#pragma once

#include <string>
#include <vector>

#include "nat/nat_table.h"
#include "nat/ruleset.h"

namespace fipd::nat {

// The maps and sets of the table, each as text beside its description. Pure.
struct SetDefinition {
  SetDescription description;
  std::string text;  // "map inet fipd fixed_by_floating { type ... }", as after "add "
};
[[nodiscard]] std::vector<SetDefinition> sets_of(const RulesetOptions& options);

// "internal", "internal6"; "pools", "pools6".
[[nodiscard]] std::string internal_name(int family);
[[nodiscard]] std::string guarded_name(int family);

}  // namespace fipd::nat
