#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

// Cutting BIRD's lines into words; for its reply parsers only. Pure.
namespace fipd::bgp::words {

inline constexpr std::string_view kBlank = " \t\r";

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

inline std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

// Takes the first word off `text`; empty at its end.
inline std::string_view take_word(std::string_view& text) {
  text = text.substr(std::min(text.find_first_not_of(kBlank), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlank));
  text.remove_prefix(word.size());
  return word;
}

// Where `text` is KEY and a value: the value.
inline std::optional<std::string_view> value_of(std::string_view key, std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with(key)) return std::nullopt;
  return trimmed(text.substr(key.size()));
}

// The number that `text` begins with; nothing where it begins with none, or one too large.
template <typename Number>
std::optional<Number> number_at(std::string_view text) {
  Number number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

}  // namespace fipd::bgp::words
