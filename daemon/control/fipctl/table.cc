#include "daemon/control/fipctl/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace fipd::fipctl {
namespace {

std::string printable(std::string_view text) {
  std::string safe(text);
  for (char& c : safe) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return safe;
}

// Columns on a terminal: UTF-8's continuation bytes take none.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::vector<std::size_t> widths_of(const std::vector<std::vector<Cell>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i].text));
    }
  }
  return widths;
}

}  // namespace

std::string render_table(const std::vector<std::vector<Cell>>& rows, bool color) {
  const std::vector<std::size_t> widths = widths_of(rows);
  std::string out;
  for (const auto& row : rows) {
    std::size_t last = row.size();
    while (last > 0 && row[last - 1].text.empty()) --last;
    for (std::size_t i = 0; i < last; ++i) {
      out += tinted(printable(row[i].text), row[i].tint, color);
      if (i + 1 < last) out.append(widths[i] - width_of(row[i].text) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string tinted(std::string_view text, Tint tint, bool color) {
  static constexpr std::string_view kCodes[] = {"", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[2m"};
  if (!color || tint == Tint::kNone) return std::string(text);
  std::string out(kCodes[static_cast<std::size_t>(tint)]);
  out += text;
  out += "\x1b[0m";
  return out;
}

Tint tint_of_state(std::string_view state) {
  if (state == "announced") return Tint::kGreen;
  if (state == "conflict" || state == "refused" || state == "failed") return Tint::kRed;
  return Tint::kYellow;
}

bool color_wanted() {
  const char* const no_color = std::getenv("NO_COLOR");
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* const term = std::getenv("TERM");
  if (term != nullptr && std::string_view(term) == "dumb") return false;
  return isatty(STDOUT_FILENO) == 1;
}

}  // namespace fipd::fipctl
