#include "bgp/kernel_route_table.h"

#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "bgp/kernel_answer.h"

namespace fipd::bgp {
namespace {

// 4096 answers overflow a default receive buffer, which is what we have without CAP_NET_ADMIN in
// the initial user namespace; from 256 on the cost of a route does not fall any more.
constexpr std::size_t kBatch = 256;

std::string_view word_of(RouteAction action) {
  switch (action) {
    case RouteAction::kAdd:
      return "add";
    case RouteAction::kReplace:
      return "replace";
    case RouteAction::kRemove:
      break;
  }
  return "remove";
}

std::string describe(const RouteChange& change) {
  char name[IF_NAMESIZE] = {};
  const HostRoute& route = change.route;
  const std::string device = if_indextoname(route.interface, name) != nullptr
                                 ? fmt::format("dev {}", name)
                                 : fmt::format("ifindex {}", route.interface);
  return fmt::format("{} route {}/{} {}", word_of(change.action), route.destination,
                     host_prefix_length(route.destination), device);
}

// The words of these errors say all there is; of others ("Permission denied" for a device without
// IPv6, "Invalid argument") only the kernel's sentence does.
bool speaks_for_itself(int error) {
  return error == EEXIST || error == ENETDOWN || error == ENODEV || error == ENOENT;
}

Error refusal(const RouteChange& change, const KernelVerdict& verdict) {
  std::string what = describe(change);
  if (!verdict.text.empty() && !speaks_for_itself(verdict.error)) what += ": " + verdict.text;
  return Error::from_errno(verdict.error, what);
}

bool is_refusal(const RouteChange& change, const KernelVerdict& verdict) {
  if (verdict.error == 0) return false;
  const bool gone = change.action == RouteAction::kRemove && verdict.error == ESRCH;
  return !gone;
}

}  // namespace

Result<std::unique_ptr<KernelRouteTable>> KernelRouteTable::open(std::uint32_t table,
                                                                 unsigned protocol) {
  if (table == 0 || protocol == 0 || protocol > 255) {
    return fail(ErrorCode::kBadInput,
                "routing table {} with protocol {}: a table from 1, a protocol from 1 to 255",
                table, protocol);
  }
  NetlinkOptions options;
  options.strict = true;
  auto socket = NetlinkSocket::open(NETLINK_ROUTE, options);
  if (!socket) return fail(Error(socket.error()).within("routing table"));
  want_sentences(*socket);
  const RouteTableId id{table, protocol};
  return std::unique_ptr<KernelRouteTable>(new KernelRouteTable(std::move(*socket), id));
}

KernelRouteTable::KernelRouteTable(NetlinkSocket socket, const RouteTableId& id)
    : socket_(std::move(socket)), id_(id) {}

Result<RouteDump> KernelRouteTable::dump() { return dump_both(std::nullopt); }

Result<RouteDump> KernelRouteTable::dump(unsigned interface) { return dump_both(interface); }

Result<RouteDump> KernelRouteTable::dump_both(std::optional<unsigned> interface) {
  RouteDump whole;
  for (const int family : {AF_INET, AF_INET6}) {
    if (const Outcome done = dump_family(family, interface, whole); !done) {
      return fail(done.error());
    }
  }
  return whole;
}

Outcome KernelRouteTable::dump_family(int family, std::optional<unsigned> interface,
                                      RouteDump& into) {
  const std::size_t own = into.own.size();
  const std::size_t strangers = into.strangers.size();
  const auto encode = [&](std::vector<std::byte>& out, std::uint32_t sequence) {
    encode_route_dump(out, family, id_.table, interface, sequence);
  };
  const auto restart = [&] {
    into.own.resize(own);
    into.strangers.erase(into.strangers.begin() + static_cast<std::ptrdiff_t>(strangers),
                         into.strangers.end());
  };
  const auto on_entry = [&](const nlmsghdr& header) {
    const auto message = decode_route(header);
    // Without IPv6 in the kernel, asking for its routes answers with IPv4's.
    if (message && family_of(message->destination.address()) == family) {
      sort_route(*message, id_, into);
    }
  };
  const Outcome done =
      run_dump(socket_, fmt::format("dump routing table {}", id_.table), encode, restart, on_entry);
  // IPv4's word for a table in which there never was a route; ENODEV: the interface has gone.
  if (!done && (done.error().os_error() == ENOENT || done.error().os_error() == ENODEV)) return {};
  return done;
}

Result<std::vector<RouteFailure>> KernelRouteTable::apply(std::span<const RouteChange> changes) {
  std::vector<RouteFailure> failures;
  for (std::size_t first = 0; first < changes.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, changes.size() - first);
    if (const Outcome sent = apply_batch(changes, first, count, failures); !sent) {
      return fail(Error(sent.error()).within("write routes"));
    }
  }
  return failures;
}

Outcome KernelRouteTable::apply_batch(std::span<const RouteChange> changes, std::size_t first,
                                      std::size_t count, std::vector<RouteFailure>& failures) {
  struct Sent {
    std::uint32_t sequence;
    std::size_t index;
  };
  std::array<std::size_t, kBatch> valid;
  std::size_t size = 0;
  const std::size_t failed_before = failures.size();
  for (std::size_t index = first; index < first + count; ++index) {
    const HostRoute& route = changes[index].route;
    if (route.metric != 0 && route.interface != 0) {
      valid[size++] = index;
    } else {
      failures.push_back({index, Error(ErrorCode::kBadInput, describe(changes[index]) +
                                                                 ": metric and interface are not "
                                                                 "both set")});
    }
  }
  if (size == 0) return {};
  buffer_.clear();
  std::array<Sent, kBatch> sent;
  for (std::size_t i = 0; i < size; ++i) {
    sent[i] = {socket_.next_sequence(), valid[i]};
    // Errors are always answered, and in order: the last one's acknowledgement vouches for all.
    encode_change(buffer_, changes[valid[i]], id_, sent[i].sequence, i + 1 == size);
  }
  bool complete = false;
  const Outcome exchanged = socket_.exchange(buffer_, [&](const nlmsghdr& header) {
    const auto verdict = decode_verdict(header);
    if (!verdict) return true;
    const auto end = sent.begin() + static_cast<std::ptrdiff_t>(size);
    const auto at = std::find_if(sent.begin(), end,
                                 [&](const Sent& s) { return s.sequence == verdict->sequence; });
    if (at == end) return true;
    complete = complete || at + 1 == end;
    const RouteChange& change = changes[at->index];
    if (is_refusal(change, *verdict)) failures.push_back({at->index, refusal(change, *verdict)});
    return true;
  });
  if (!exchanged) return exchanged;
  if (!complete) return fail(ErrorCode::kKernel, "the kernel did not answer to the end");
  std::sort(failures.begin() + static_cast<std::ptrdiff_t>(failed_before), failures.end(),
            [](const RouteFailure& a, const RouteFailure& b) { return a.index < b.index; });
  return {};
}

}  // namespace fipd::bgp
