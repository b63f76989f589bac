#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/base/function_ref.h"
#include "nat/element.h"

namespace fipd::nat {

// Reads elements out of the kernel's answers. Pure.

// One element as it lies in a message. Views.
struct ElementView {
  std::span<const std::byte> key;
  std::span<const std::byte> value;            // empty in sets
  std::string_view expression;                 // "counter", "limit", "connlimit"; mostly none
  std::span<const std::byte> expression_data;  // its attributes
  std::uint32_t flags = 0;                     // NFT_SET_ELEM_*
};
// Every element of an NFT_MSG_NEWSETELEM message, and of no other kind.
void for_each_element(const nlmsghdr& message, FunctionRef<void(const ElementView&)> take);

// Appends the elements in a message of a dump of `map`. What is not of that map's form (a foreign
// element in a concatenated key, source not destination) is left out.
void decode_elements(const nlmsghdr& message, Map map, bool v6, std::vector<Element>& out);

}  // namespace fipd::nat
