#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fipd::fipctl {

enum class Tint : std::uint8_t { kNone, kGreen, kYellow, kRed, kDim };

struct Cell {
  std::string text;
  Tint tint = Tint::kNone;
};

// Lines with aligned columns, the first row being the heads; two spaces in between, nothing after
// the last one. Control characters in cells become '?', so that no text plays with the terminal.
[[nodiscard]] std::string render_table(const std::vector<std::vector<Cell>>& rows, bool color);

[[nodiscard]] std::string tinted(std::string_view text, Tint tint, bool color);

// Green is in order, yellow on its way, red needs somebody.
[[nodiscard]] Tint tint_of_state(std::string_view state);

// Standard output is a terminal, and neither NO_COLOR nor TERM=dumb say otherwise.
[[nodiscard]] bool color_wanted();

}  // namespace fipd::fipctl
