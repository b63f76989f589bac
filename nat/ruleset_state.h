#pragma once

#include <string>

#include "daemon/base/netlink_socket.h"
#include "daemon/base/result.h"
#include "nat/ruleset.h"

namespace fipd::nat {

// What the kernel holds of `table inet NAME`: chains, rules and sets by raw dumps, without handles
// and counters, and the elements of interval sets that are ours. Never the maps' elements, and
// never by libnftables, which would read every element of every set. `exists` is false where there
// is no such table.
[[nodiscard]] Result<TableDescription> read_table(NetlinkSocket& socket, const std::string& table);

}  // namespace fipd::nat
