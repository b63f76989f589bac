#include "bgp/network_message.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "bgp/route_wire.h"

namespace fipd::bgp {
namespace {

// netconfmsg with the padding that follows it.
struct NetconfBody {
  std::uint8_t family = 0;
  std::uint8_t padding[3]{};
};

std::string text_of(std::span<const std::byte> payload) {
  const auto* text = reinterpret_cast<const char*>(payload.data());
  return {text, std::find(text, text + payload.size(), '\0')};
}

}  // namespace

void encode_link_dump(std::vector<std::byte>& out, std::uint32_t sequence) {
  WireMessage message(out, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, sequence, ifinfomsg{});
  // Counters are the greater part of a link's message, and nobody here reads them.
  message.attribute(IFLA_EXT_MASK, std::uint32_t{RTEXT_FILTER_SKIP_STATS});
}

void encode_address_dump(std::vector<std::byte>& out, std::uint32_t sequence) {
  WireMessage(out, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, sequence, ifaddrmsg{});
}

void encode_forwarding_dump(std::vector<std::byte>& out, int family, std::uint32_t sequence) {
  const NetconfBody body{static_cast<std::uint8_t>(family)};
  WireMessage(out, RTM_GETNETCONF, NLM_F_REQUEST | NLM_F_DUMP, sequence, body);
}

std::optional<LinkMessage> decode_link(const nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWLINK && header.nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto wire = read_body<ifinfomsg>(header);
  if (!wire) return std::nullopt;
  // AF_BRIDGE speaks of ports: its RTM_DELLINK is a tap leaving its bridge, not a tap gone.
  if (wire->body.ifi_family != AF_UNSPEC || wire->body.ifi_index <= 0) return std::nullopt;
  LinkMessage out;
  out.removed = header.nlmsg_type == RTM_DELLINK;
  out.link.index = static_cast<unsigned>(wire->body.ifi_index);
  out.link.up = (wire->body.ifi_flags & IFF_UP) != 0;
  out.link.carrier = (wire->body.ifi_flags & IFF_LOWER_UP) != 0;
  walk_attributes(wire->attributes, [&](const WireAttribute& attribute) {
    if (attribute.type == IFLA_IFNAME) out.link.name = text_of(attribute.payload);
  });
  if (out.link.name.empty()) return std::nullopt;
  return out;
}

std::optional<AddressMessage> decode_address(const nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWADDR && header.nlmsg_type != RTM_DELADDR) return std::nullopt;
  const auto wire = read_body<ifaddrmsg>(header);
  if (!wire) return std::nullopt;
  const int family = wire->body.ifa_family;
  if ((family != AF_INET && family != AF_INET6) || wire->body.ifa_index == 0) return std::nullopt;
  std::optional<IpAddress> local;
  std::optional<IpAddress> address;
  walk_attributes(wire->attributes, [&](const WireAttribute& attribute) {
    if (attribute.type == IFA_LOCAL) local = attribute.address(family);
    if (attribute.type == IFA_ADDRESS) address = attribute.address(family);
  });
  // On a point-to-point link IFA_ADDRESS is the peer's; IPv6 without a peer has no IFA_LOCAL.
  if (!local) local = address;
  if (!local) return std::nullopt;
  AddressMessage out;
  out.removed = header.nlmsg_type == RTM_DELADDR;
  out.address.address = *local;
  out.address.interface = wire->body.ifa_index;
  return out;
}

std::optional<Forwarding> decode_forwarding(const nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWNETCONF) return std::nullopt;
  const auto wire = read_body<NetconfBody>(header);
  if (!wire) return std::nullopt;
  const int family = wire->body.family;
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  std::optional<std::uint32_t> index;
  std::optional<std::uint32_t> on;
  walk_attributes(wire->attributes, [&](const WireAttribute& attribute) {
    if (attribute.type == NETCONFA_IFINDEX) index = attribute.number();
    if (attribute.type == NETCONFA_FORWARDING) on = attribute.number();
  });
  // A change of another setting comes without this one.
  if (!index || !on) return std::nullopt;
  Forwarding out{.v4 = family == AF_INET, .interface = std::nullopt, .on = *on != 0};
  const auto signed_index = static_cast<std::int32_t>(*index);
  if (signed_index == NETCONFA_IFINDEX_ALL) return out;
  if (signed_index <= 0) return std::nullopt;
  out.interface = *index;
  return out;
}

}  // namespace fipd::bgp
