#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/state/binding.h"

namespace fipd {

// The quick way for a binding file as programs write it: [[floating_ip]], a key = "value" a line,
// comments on lines of their own, ASCII, no escapes. Empty for everything else, and for everything
// that is wrong: toml++ then reads it, or says why not. What this returns, toml++ would have
// returned (a fuzz target compares them); it takes a tenth of the time and no memory to speak of.
[[nodiscard]] std::optional<std::vector<Binding>> plain_bindings(std::string_view text);

}  // namespace fipd
