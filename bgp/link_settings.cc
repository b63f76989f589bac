#include "bgp/link_settings.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "bgp/kernel_answer.h"
#include "bgp/route_wire.h"

namespace fipd::bgp {
namespace {

ifinfomsg link(unsigned interface) {
  ifinfomsg body{};
  body.ifi_index = static_cast<int>(interface);
  return body;
}

std::vector<std::byte> attribute(std::uint16_t type, std::span<const std::byte> payload) {
  rtattr header{};
  header.rta_len = static_cast<unsigned short>(sizeof header + payload.size());
  header.rta_type = type;
  std::vector<std::byte> out(RTA_ALIGN(sizeof header + payload.size()));
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(out.data() + sizeof header, payload.data(), payload.size());
  return out;
}

// The kernel tells all IPv4 settings of a link as one array, in the order of their numbers, from 1.
std::optional<bool> localnet_in(const nlmsghdr& header) {
  if (header.nlmsg_type != RTM_NEWLINK) return std::nullopt;
  const auto wire = read_body<ifinfomsg>(header);
  if (!wire) return std::nullopt;
  std::optional<bool> found;
  const auto in_settings = [&](const WireAttribute& settings) {
    constexpr std::size_t kAt = (IPV4_DEVCONF_ROUTE_LOCALNET - 1) * sizeof(std::uint32_t);
    std::uint32_t value = 0;
    if (settings.type != IFLA_INET_CONF || settings.payload.size() < kAt + sizeof value) return;
    std::memcpy(&value, settings.payload.data() + kAt, sizeof value);
    found = value != 0;
  };
  const auto in_families = [&](const WireAttribute& family) {
    if (family.type == AF_INET) walk_attributes(family.payload, in_settings);
  };
  walk_attributes(wire->attributes, [&](const WireAttribute& each) {
    if (each.type == IFLA_AF_SPEC) walk_attributes(each.payload, in_families);
  });
  return found;
}

}  // namespace

Result<std::unique_ptr<KernelLinkSettings>> KernelLinkSettings::open() {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE, NetlinkOptions{});
  if (!socket) return fail(std::move(socket.error()).within("settings of links"));
  want_sentences(*socket);
  return std::unique_ptr<KernelLinkSettings>(new KernelLinkSettings(std::move(*socket)));
}

Result<bool> KernelLinkSettings::routes_localnet(unsigned interface) {
  std::vector<std::byte> request;
  const std::uint32_t sequence = socket_.next_sequence();
  WireMessage(request, RTM_GETLINK, NLM_F_REQUEST, sequence, link(interface));
  std::optional<bool> found;
  std::optional<KernelVerdict> verdict;
  const Outcome sent = socket_.exchange(request, [&](const nlmsghdr& header) {
    if (header.nlmsg_seq != sequence) return true;
    verdict = decode_verdict(header);
    found = localnet_in(header);
    return false;
  });
  if (!sent) return fail(Error(sent.error()).within("read settings of a link"));
  if (verdict && verdict->error == ENODEV) return fail(ErrorCode::kNotFound, "no such link");
  if (verdict) return fail_errno(verdict->error, "read settings of a link");
  return found.value_or(false);
}

Outcome KernelLinkSettings::route_localnet(unsigned interface) {
  const std::uint32_t on = 1;
  const auto value = attribute(IPV4_DEVCONF_ROUTE_LOCALNET, std::as_bytes(std::span(&on, 1)));
  const auto settings = attribute(IFLA_INET_CONF, value);
  const auto family = attribute(AF_INET, settings);
  std::vector<std::byte> request;
  const std::uint32_t sequence = socket_.next_sequence();
  WireMessage message(request, RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, sequence, link(interface));
  message.attribute(IFLA_AF_SPEC, family.data(), family.size());
  std::optional<KernelVerdict> verdict;
  const Outcome sent = socket_.exchange(request, [&](const nlmsghdr& header) {
    if (header.nlmsg_seq != sequence) return true;
    verdict = decode_verdict(header);
    return false;
  });
  constexpr std::string_view kDoing = "set route_localnet";
  if (!sent) return fail(Error(sent.error()).within(kDoing));
  if (!verdict) return fail(ErrorCode::kKernel, "{}: the kernel does not answer", kDoing);
  if (verdict->error == ENODEV) return fail(ErrorCode::kNotFound, "no such link");
  if (verdict->error != 0) return fail_errno(verdict->error, kDoing);
  return {};
}

}  // namespace fipd::bgp
