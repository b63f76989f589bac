#include "bgp/route_message.h"

#include <linux/rtnetlink.h>

#include "bgp/route_wire.h"

namespace fipd::bgp {
namespace {

struct Verb {
  std::uint16_t type;
  std::uint16_t flags;
};

Verb verb_of(RouteAction action) {
  switch (action) {
    case RouteAction::kAdd:
      // EXCL also keeps IPv6 from growing a second next hop beside the first.
      return {RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL};
    case RouteAction::kReplace:
      return {RTM_NEWROUTE, NLM_F_REPLACE};
    case RouteAction::kRemove:
      break;
  }
  return {RTM_DELROUTE, 0};
}

void read_attribute(const WireAttribute& attribute, int family, RouteMessage& out,
                    std::optional<IpAddress>& destination) {
  switch (attribute.type) {
    case RTA_DST:
      destination = attribute.address(family);
      break;
    case RTA_TABLE:
      out.table = attribute.number().value_or(out.table);
      break;
    case RTA_PRIORITY:
      out.metric = attribute.number().value_or(0);
      break;
    case RTA_OIF:
      out.interface = attribute.number().value_or(0);
      break;
    case RTA_FLOW:
      out.realm = attribute.number().value_or(0);
      break;
    case RTA_GATEWAY:
    case RTA_VIA:
    case RTA_MULTIPATH:
    case RTA_NH_ID:
      out.direct = false;
      break;
    default:
      break;
  }
}

// Nothing where address and length do not belong together.
std::optional<Prefix> prefix_of(const std::optional<IpAddress>& address, int family,
                                unsigned length) {
  if (address) {
    if (length > host_prefix_length(*address)) return std::nullopt;
    return Prefix(*address, length);
  }
  if (length != 0) return std::nullopt;
  if (family == AF_INET) return Prefix(boost::asio::ip::address_v4(), 0);
  return Prefix(boost::asio::ip::address_v6(), 0);
}

}  // namespace

void encode_change(std::vector<std::byte>& out, const RouteChange& change, const RouteTableId& id,
                   std::uint32_t sequence, bool acknowledge) {
  const HostRoute& route = change.route;
  const Verb verb = verb_of(change.action);
  rtmsg body{};
  body.rtm_family = static_cast<unsigned char>(family_of(route.destination));
  body.rtm_dst_len = static_cast<unsigned char>(host_prefix_length(route.destination));
  body.rtm_table = static_cast<unsigned char>(id.table < 256 ? id.table : RT_TABLE_UNSPEC);
  body.rtm_protocol = static_cast<unsigned char>(id.protocol);
  // IPv6 knows no scope for routes.
  body.rtm_scope = route.destination.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  const auto flags =
      static_cast<std::uint16_t>(NLM_F_REQUEST | verb.flags | (acknowledge ? NLM_F_ACK : 0));
  WireMessage message(out, verb.type, flags, sequence, body);
  message.attribute(RTA_DST, route.destination);
  if (id.table >= 256) message.attribute(RTA_TABLE, id.table);
  message.attribute(RTA_PRIORITY, route.metric);
  message.attribute(RTA_OIF, route.interface);
  // Of a removal, destination, metric and interface say which. IPv6 ignores realms.
  const bool realm = route.realm != 0 && change.action != RouteAction::kRemove;
  if (realm && route.destination.is_v4()) message.attribute(RTA_FLOW, route.realm);
}

void encode_route_dump(std::vector<std::byte>& out, int family, std::uint32_t table,
                       std::optional<unsigned> interface, std::uint32_t sequence) {
  rtmsg body{};
  body.rtm_family = static_cast<unsigned char>(family);
  WireMessage message(out, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, sequence, body);
  message.attribute(RTA_TABLE, table);
  if (interface) message.attribute(RTA_OIF, *interface);
}

void encode_route_lookup(std::vector<std::byte>& out, const IpAddress& destination,
                         std::uint32_t sequence) {
  rtmsg body{};
  body.rtm_family = static_cast<unsigned char>(family_of(destination));
  body.rtm_dst_len = static_cast<unsigned char>(host_prefix_length(destination));
  WireMessage message(out, RTM_GETROUTE, NLM_F_REQUEST, sequence, body);
  message.attribute(RTA_DST, destination);
}

std::optional<RouteMessage> decode_route(const nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWROUTE && header.nlmsg_type != RTM_DELROUTE) return std::nullopt;
  const auto wire = read_body<rtmsg>(header);
  if (!wire) return std::nullopt;
  const int family = wire->body.rtm_family;
  // Other families have their own rtnetlink routes: MPLS, and multicast's.
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  RouteMessage out{.destination = Prefix(IpAddress(), 0)};
  out.table = wire->body.rtm_table;
  out.protocol = wire->body.rtm_protocol;
  out.type = wire->body.rtm_type;
  out.direct = true;
  out.cached = (wire->body.rtm_flags & RTM_F_CLONED) != 0;
  out.tos = wire->body.rtm_tos != 0;
  out.removed = header.nlmsg_type == RTM_DELROUTE;
  std::optional<IpAddress> destination;
  walk_attributes(wire->attributes, [&](const WireAttribute& attribute) {
    read_attribute(attribute, family, out, destination);
  });
  const auto prefix = prefix_of(destination, family, wire->body.rtm_dst_len);
  if (!prefix) return std::nullopt;
  out.destination = *prefix;
  return out;
}

bool is_learnable(const RouteMessage& message) {
  if (message.cached) return false;
  return message.type == RTN_UNICAST || message.type == RTN_BLACKHOLE ||
         message.type == RTN_UNREACHABLE || message.type == RTN_PROHIBIT;
}

void sort_route(const RouteMessage& message, const RouteTableId& id, RouteDump& dump) {
  if (message.table != id.table || !is_learnable(message)) return;
  const bool ours = message.protocol == id.protocol && message.type == RTN_UNICAST &&
                    message.direct && !message.tos && message.interface != 0 &&
                    message.destination.is_host();
  if (ours) {
    dump.own.push_back(
        HostRoute{message.destination.address(), message.metric, message.interface, message.realm});
  } else {
    dump.strangers.push_back(StrangerRoute{message.destination, message.metric, message.protocol});
  }
}

}  // namespace fipd::bgp
