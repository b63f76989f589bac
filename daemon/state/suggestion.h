#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fipd {

// " (did you mean 'fixed'?)" where one of `known` is within two slips of the pen of `word`, else
// empty. For the end of a message about an unknown key. Pure; a long `word` costs nothing.
[[nodiscard]] std::string suggestion(std::string_view word,
                                     std::span<const std::string_view> known);

// For messages: at most 64 bytes of a foreign text, control characters as '?'.
[[nodiscard]] std::string printable(std::string_view text);

// Control characters, also the two-byte ones of UTF-8 (U+0080 to U+009F), which terminals obey.
[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace fipd
