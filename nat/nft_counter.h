#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nat/element.h"

namespace fipd::nat {

// A named counter object of our table. Pure.
[[nodiscard]] std::vector<std::byte> counter_request(std::string_view table, std::string_view name,
                                                     std::uint32_t sequence);
// What an NFT_MSG_NEWOBJ message tells of a counter.
[[nodiscard]] std::optional<Counter> counter_in(const nlmsghdr& message);
// Its name, where it is one of `table` in family inet.
[[nodiscard]] std::optional<std::string> counter_name_in(const nlmsghdr& message,
                                                         std::string_view table);

}  // namespace fipd::nat
