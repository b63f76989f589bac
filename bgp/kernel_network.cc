#include "bgp/kernel_network.h"

#include <linux/rtnetlink.h>

#include <cerrno>
#include <utility>

#include "bgp/kernel_answer.h"
#include "bgp/network_message.h"
#include "bgp/route_message.h"

namespace fipd::bgp {
namespace {

// How the kernel says that it has no way: no route, unreachable, prohibit, blackhole, throw, and no
// such family in this kernel. A request that it cannot read is EINVAL as well, but with a sentence.
bool means_no_way(const KernelVerdict& verdict) {
  const int error = verdict.error;
  return error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES || error == EAGAIN ||
         error == ESRCH || error == EAFNOSUPPORT || error == EOPNOTSUPP ||
         (error == EINVAL && verdict.text.empty());
}

}  // namespace

Result<std::unique_ptr<KernelNetwork>> KernelNetwork::open() {
  NetlinkOptions options;
  options.strict = true;
  auto socket = NetlinkSocket::open(NETLINK_ROUTE, options);
  if (!socket) return fail(Error(socket.error()).within("network"));
  want_sentences(*socket);
  return std::unique_ptr<KernelNetwork>(new KernelNetwork(std::move(*socket)));
}

Result<std::vector<Link>> KernelNetwork::links() {
  std::vector<Link> links;
  const auto encode = [](std::vector<std::byte>& out, std::uint32_t sequence) {
    encode_link_dump(out, sequence);
  };
  const auto restart = [&] { links.clear(); };
  const auto on_entry = [&](const nlmsghdr& header) {
    if (auto message = decode_link(header)) links.push_back(std::move(message->link));
  };
  const Outcome done = run_dump(socket_, "dump links", encode, restart, on_entry);
  if (!done) return fail(done.error());
  return links;
}

Result<std::vector<LocalAddress>> KernelNetwork::addresses() {
  std::vector<LocalAddress> addresses;
  const auto encode = [](std::vector<std::byte>& out, std::uint32_t sequence) {
    encode_address_dump(out, sequence);
  };
  const auto restart = [&] { addresses.clear(); };
  const auto on_entry = [&](const nlmsghdr& header) {
    if (const auto message = decode_address(header)) addresses.push_back(message->address);
  };
  const Outcome done = run_dump(socket_, "dump addresses", encode, restart, on_entry);
  if (!done) return fail(done.error());
  return addresses;
}

Result<std::vector<Forwarding>> KernelNetwork::forwarding() {
  std::vector<Forwarding> settings;
  for (const int family : {AF_INET, AF_INET6}) {
    const std::vector<Forwarding> before = settings;
    const auto encode = [family](std::vector<std::byte>& out, std::uint32_t sequence) {
      encode_forwarding_dump(out, family, sequence);
    };
    const auto restart = [&] { settings = before; };
    const auto on_entry = [&](const nlmsghdr& header) {
      if (const auto setting = decode_forwarding(header)) settings.push_back(*setting);
    };
    const Outcome done = run_dump(socket_, "dump forwarding", encode, restart, on_entry);
    const bool no_family = !done && family == AF_INET6 && done.error().os_error() == EOPNOTSUPP;
    if (!done && !no_family) return fail(done.error());
  }
  return settings;
}

Result<std::optional<unsigned>> KernelNetwork::interface_to(const IpAddress& destination) {
  std::vector<std::byte> request;
  const std::uint32_t sequence = socket_.next_sequence();
  encode_route_lookup(request, destination, sequence);
  std::optional<RouteMessage> route;
  std::optional<KernelVerdict> verdict;
  const Outcome sent = socket_.exchange(request, [&](const nlmsghdr& header) {
    if (header.nlmsg_seq != sequence) return true;
    verdict = decode_verdict(header);
    route = decode_route(header);
    return false;
  });
  const auto what = [&] { return fmt::format("route to {}", destination); };
  if (!sent) return fail(Error(sent.error()).within(what()));
  if (verdict && means_no_way(*verdict)) return std::optional<unsigned>();
  if (verdict) {
    return fail_errno(verdict->error,
                      verdict->text.empty() ? what() : what() + ": " + verdict->text);
  }
  if (!route) return fail(ErrorCode::kKernel, "{}: the kernel did not answer", what());
  const bool usable = route->type == RTN_UNICAST && route->direct && route->interface != 0;
  if (!usable) return std::optional<unsigned>();
  return std::optional<unsigned>(route->interface);
}

}  // namespace fipd::bgp
