// Everything that reads rtnetlink's bytes: routes, links, addresses, the kernel's verdicts. The
// input is one datagram, cut into messages as NetlinkSocket does.
#include <linux/rtnetlink.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "bgp/kernel_answer.h"
#include "bgp/network_message.h"
#include "bgp/route_message.h"

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

void decode(const nlmsghdr& header) {
  if (const auto route = fipd::bgp::decode_route(header)) {
    check(route->destination.length() <= fipd::host_prefix_length(route->destination.address()));
    fipd::bgp::RouteDump dump;
    fipd::bgp::sort_route(*route, {route->table, 172}, dump);
    check(dump.own.size() + dump.strangers.size() <= 1);
  }
  if (const auto link = fipd::bgp::decode_link(header)) check(!link->link.name.empty());
  if (const auto address = fipd::bgp::decode_address(header))
    check(address->address.interface != 0);
  if (const auto setting = fipd::bgp::decode_forwarding(header)) check(setting->interface != 0U);
  if (const auto verdict = fipd::bgp::decode_verdict(header)) {
    check(verdict->error >= 0 && verdict->error < 4096);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, data, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > size) return 0;
    // Exactly the message's bytes, so that a read beyond them is seen.
    const auto message = std::make_unique<std::uint8_t[]>(header.nlmsg_len);
    std::memcpy(message.get(), data, header.nlmsg_len);
    decode(*reinterpret_cast<const nlmsghdr*>(message.get()));
    const std::size_t step = NLMSG_ALIGN(std::size_t{header.nlmsg_len});
    if (step >= size) return 0;
    data += step;
    size -= step;
  }
  return 0;
}
