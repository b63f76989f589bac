#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace fipd {

// What a reader of JSON or TOML found behind a key, whatever the format. Texts point into its
// document. What lies in a list or table is read one level deep; deeper ones have a kind only.
struct Word {
  std::string_view kind;  // "a string", "a boolean"... for the message
  std::optional<std::string_view> text{};
  std::optional<bool> flag{};
  std::optional<std::int64_t> number{};
  std::optional<std::vector<Word>> list{};
  std::optional<std::vector<Word>> table{};
  std::string_view key{};  // in a table: its name
};

inline tl::unexpected<Error> wrong_kind(const Word& word, std::string_view wanted) {
  return fail(ErrorCode::kBadInput, "is {}: write {}", word.kind, wanted);
}

}  // namespace fipd
