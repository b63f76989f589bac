#pragma once

#include <vector>

#include "nat/ruleset_rules.h"

namespace fipd::nat {

// The chains of type filter: what counts, limits and guards. None where the options ask for none.
// Pure.
[[nodiscard]] std::vector<Chain> chains_before_nat(const RulesetOptions& options);
[[nodiscard]] std::vector<Chain> chains_of_guards(const RulesetOptions& options);
[[nodiscard]] std::vector<Chain> chains_after_nat(const RulesetOptions& options);

}  // namespace fipd::nat
