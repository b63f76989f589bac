#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/network.h"

namespace fipd::bgp {

// rtnetlink's words for links and addresses, pure. As in route_message.h: decoders answer nothing
// for what is no whole message of theirs, whatever the bytes.

void encode_link_dump(std::vector<std::byte>& out, std::uint32_t sequence);
// Both families.
void encode_address_dump(std::vector<std::byte>& out, std::uint32_t sequence);

struct LinkMessage {
  Link link;
  bool removed = false;
};
[[nodiscard]] std::optional<LinkMessage> decode_link(const nlmsghdr& header);

struct AddressMessage {
  LocalAddress address;
  bool removed = false;
};
[[nodiscard]] std::optional<AddressMessage> decode_address(const nlmsghdr& header);

}  // namespace fipd::bgp
