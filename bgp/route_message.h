#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/route_table.h"
#include "daemon/base/address.h"

namespace fipd::bgp {

// rtnetlink's words for routes, pure. Encoders append one message to `out`; decoders answer nothing
// for what is no whole message of theirs, whatever the bytes.

// Whose routes: the table's number and the protocol that marks our own.
struct RouteTableId {
  std::uint32_t table = 0;
  unsigned protocol = 0;
};

// kReplace carries no NLM_F_CREATE: a route that somebody took away is an error (ENOENT), not a new
// route behind the caller's back. With `acknowledge`, success is answered too.
void encode_change(std::vector<std::byte>& out, const RouteChange& change, const RouteTableId& id,
                   std::uint32_t sequence, bool acknowledge);

// Needs a socket with strict checking, or the kernel answers with every table.
void encode_route_dump(std::vector<std::byte>& out, int family, std::uint32_t table,
                       std::optional<unsigned> interface, std::uint32_t sequence);

// "ip route get": what the kernel would do with a packet to `destination`.
void encode_route_lookup(std::vector<std::byte>& out, const IpAddress& destination,
                         std::uint32_t sequence);

// RTM_NEWROUTE or RTM_DELROUTE, as far as we look into it.
struct RouteMessage {
  Prefix destination;
  std::uint32_t table = 0;
  std::uint32_t metric = 0;
  unsigned protocol = 0;
  unsigned type = 0;        // RTN_UNICAST...
  unsigned interface = 0;   // 0: none, or several
  std::uint32_t realm = 0;  // RTA_FLOW
  bool direct = false;      // one next hop, without a gateway
  bool cached = false;      // a clone or an exception, no route of a table
  bool tos = false;         // for some packets only
  bool removed = false;
};
[[nodiscard]] std::optional<RouteMessage> decode_route(const nlmsghdr& header);

// Sorts a route of our table into what we wrote and what we did not; routes of other tables,
// clones and what the kernel itself keeps (broadcast...) go nowhere.
void sort_route(const RouteMessage& message, const RouteTableId& id, RouteDump& dump);

// Whether a route of this type can be chosen by, or hidden behind, BIRD's kernel protocol.
[[nodiscard]] bool is_learnable(const RouteMessage& message);

}  // namespace fipd::bgp
