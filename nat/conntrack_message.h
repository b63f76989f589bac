#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/base/address.h"

namespace fipd::nat {

// ctnetlink's messages, as far as flushing needs them. Pure.

// One connection of a dump: who speaks to whom, before and after translation.
struct ConnectionView {
  unsigned family = 0;  // AF_INET, AF_INET6
  IpAddress original_source;
  IpAddress original_destination;
  IpAddress reply_source;
  IpAddress reply_destination;
  std::uint8_t protocol = 0;                    // IANA's number
  std::uint16_t original_destination_port = 0;  // of protocols with ports
  std::uint16_t reply_source_port = 0;
  std::span<const std::byte> original_tuple;  // the attribute's body, in the message
  std::optional<std::uint32_t> id;
  std::optional<std::uint16_t> zone;  // none: the default zone
};
// Nothing for other messages, and for entries without both tuples.
[[nodiscard]] std::optional<ConnectionView> decode_connection(const nlmsghdr& message);

// A request to dump all connections of one family.
[[nodiscard]] std::vector<std::byte> connection_dump(int family, std::uint32_t sequence);

// Where an address must stand for a connection to be dumped.
enum class End {
  kOriginalDestination,  // what goes to it
  kReplyDestination,     // what leaves under it
};
// The same, of those only: the kernel does not spell out the others. IPv4: of IPv6, Linux (5.8 to
// 6.18 at least) dumps all but those, because ctnetlink_filter_match_tuple() has its comparison the
// wrong way round. Before 5.8 it ignores the filter or refuses it; before 5.16 (5.15.6, 5.10.83) it
// finds nothing by kReplyDestination.
[[nodiscard]] std::vector<std::byte> connection_dump(const IpAddress& address, End end,
                                                     std::uint32_t sequence);

// Appends a request to delete exactly this entry: by original tuple and zone, and by the kernel's
// id for it, so that a new connection with the same tuple is not hit.
void append_deletion(const ConnectionView& connection, std::uint32_t sequence,
                     std::vector<std::byte>& out);

}  // namespace fipd::nat
