#include "nat/element.h"

#include <netinet/in.h>

namespace fipd::nat {
namespace {

struct ValueText {
  Map map;

  std::string operator()(std::monostate /*none*/) const { return ""; }
  std::string operator()(const IpAddress& address) const { return fmt::format(" : {}", address); }
  std::string operator()(const Endpoint& endpoint) const {
    return fmt::format(" : {} . {}", endpoint.address, endpoint.port);
  }
  std::string operator()(const Counter& counter) const {
    return fmt::format(" counter packets {} bytes {}", counter.packets, counter.bytes);
  }
  std::string operator()(const Rate& rate) const {
    const bool bytes = map != Map::kNewConnections;
    return fmt::format(" limit rate over {}{}/second burst {} {}", rate.per_second,
                       bytes ? " bytes" : "", rate.burst, bytes ? "bytes" : "packets");
  }
  std::string operator()(const Count& count) const {
    return fmt::format(" ct count over {}", count.most);
  }
};

}  // namespace

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_SCTP:
      return "sctp";
    default:
      return fmt::format("{}", protocol);
  }
}

std::string to_string(const Element& element) {
  const Key& key = element.key;
  std::string text = key.address.to_string();
  if (element.map == Map::kForwards) {
    text += fmt::format(" . {} . {}", protocol_name(key.protocol), key.port);
  } else if (element.map == Map::kHairpin) {
    text += fmt::format(" . {}", key.address);
  }
  return text + std::visit(ValueText{element.map}, element.value);
}

}  // namespace fipd::nat
