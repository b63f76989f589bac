#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "nat/nat_table.h"

namespace fipd::nat {

// Base chains of others, out of the kernel's own list: libnftables would read all their rules and
// elements. Pure.

// A request for the chains of every table of every family.
[[nodiscard]] std::vector<std::byte> chain_dump(std::uint32_t sequence);
// The chain that an NFT_MSG_NEWCHAIN message tells of, where it matters beside `own_table` (in
// family inet): one that translates before ours, or drops what passes it.
[[nodiscard]] std::optional<Neighbour> neighbour_in(const nlmsghdr& message,
                                                    std::string_view own_table);

}  // namespace fipd::nat
