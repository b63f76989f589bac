#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nat/element.h"

namespace fipd::nat {

// How an element of one map and family lies in a message: the same bytes for all of them but its
// key and its value, so a message is a copy with these filled in. Pure.
struct ElementShape {
  std::vector<std::byte> remove;  // the list's entry with the key
  std::vector<std::byte> add;     // the same, and data or an expression
  std::size_t value_at = 0;       // in `add`: the data, or the expression's attributes

  // The key is at the same place in both.
  static constexpr std::size_t kKeyAt = 12;
};
[[nodiscard]] ElementShape shape_of(Map map, bool v6);

void put_key(std::byte* at, Map map, const Key& key);
// `value` must be of the map's kind.
void put_value(std::byte* at, const Value& value);

// Bytes of a key and of data (0 in sets) of that map.
[[nodiscard]] std::size_t key_size(Map map, bool v6);
[[nodiscard]] std::size_t data_size(Map map, bool v6);

}  // namespace fipd::nat
