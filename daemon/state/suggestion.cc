#include "daemon/state/suggestion.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <fmt/format.h>

namespace fipd {
namespace {

constexpr std::size_t kLongestWord = 40;
constexpr std::size_t kMaxShown = 64;

// Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

bool is_c1(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]) == 0xc2 && at + 1 < text.size() &&
         static_cast<unsigned char>(text[at + 1]) < 0xa0;
}

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongestWord) return "";
  std::string_view best;
  // Three slips would take "id" for "port".
  std::size_t closest = std::min<std::size_t>(3, word.size() / 2 + 1);
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(word, candidate);
    if (d < closest) {
      closest = d;
      best = candidate;
    }
  }
  return best.empty() ? "" : fmt::format(" (did you mean '{}'?)", best);
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // Cut between characters, not within one.
    if (out.size() >= kMaxShown && (c & 0xc0U) != 0x80) return out + "...";
    if (is_c1(text, i)) {
      out += '?';
      ++i;
    } else {
      out += is_control(c) ? '?' : text[i];
    }
  }
  return out;
}

bool has_control_characters(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_control(static_cast<unsigned char>(text[i])) || is_c1(text, i)) return true;
  }
  return false;
}

}  // namespace fipd
