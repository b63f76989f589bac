#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bgp/network.h"

namespace fipd::bgp {

// rtnetlink's words for links, addresses and forwarding, pure. As in route_message.h: decoders
// answer nothing for what is no whole message of theirs, whatever the bytes.

void encode_link_dump(std::vector<std::byte>& out, std::uint32_t sequence);
// Both families.
void encode_address_dump(std::vector<std::byte>& out, std::uint32_t sequence);

// `family`: AF_INET or AF_INET6.
void encode_forwarding_dump(std::vector<std::byte>& out, int family, std::uint32_t sequence);

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

// Nothing of conf.default, nor where a link's settings go with it.
[[nodiscard]] std::optional<Forwarding> decode_forwarding(const nlmsghdr& header);

}  // namespace fipd::bgp
