#include "nat/kernel_connections.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "nat/attributes.h"
#include "nat/conntrack_message.h"

namespace fipd::nat {
namespace {

constexpr std::size_t kPiece = 64 * 1024;  // bytes of deletions a send: about 600
// Filtered walks in place of one dump of everything: with 100,000 entries a walk takes a sixth of
// the dump, with none as long as it.
constexpr std::size_t kFilteredWalks = 4;

// nfnetlink's words for what it does not know: a filter, or a subsystem that nobody registered.
bool is_unknown(const Error& error) {
  return error.os_error() == EINVAL || error.os_error() == EOPNOTSUPP;
}

}  // namespace

std::size_t KernelConnections::Hash::operator()(const Translation& translation) const noexcept {
  const AddressHash hash;
  const std::size_t ports = std::size_t{translation.protocol} << 32 |
                            std::size_t{translation.port} << 16 | translation.fixed_port;
  return (hash(translation.floating) * 31 + hash(translation.fixed)) ^ ports * 0x9e3779b97f4a7c15U;
}

void KernelConnections::Gone::add(const Translation& translation) {
  // Nothing that leaves under an address belongs to a port of it.
  floatings[translation.floating] |= translation.protocol == 0;
  if (translation.others) {
    others.insert_or_assign(translation.floating, translation.fixed);
  } else {
    (translation.protocol == 0 ? addresses : ports).insert(translation);
  }
}

bool KernelConnections::Gone::leads_elsewhere(const IpAddress& floating,
                                              const IpAddress& fixed) const {
  const auto at = others.find(floating);
  return at != others.end() && at->second != fixed;
}

bool KernelConnections::Gone::holds(const ConnectionView& connection) const {
  Translation as{connection.original_destination, connection.reply_source};
  if (addresses.contains(as)) return true;
  if (addresses.contains({connection.reply_destination, connection.original_source})) return true;
  if (leads_elsewhere(connection.original_destination, connection.reply_source)) return true;
  // Somebody who has the address by himself, on another host, began this: not translated here.
  const bool translated = connection.original_source != connection.reply_destination;
  if (translated && leads_elsewhere(connection.reply_destination, connection.original_source)) {
    return true;
  }
  if (ports.empty()) return false;
  as.protocol = connection.protocol;
  as.port = connection.original_destination_port;
  as.fixed_port = connection.reply_source_port;
  return ports.contains(as);
}

Result<std::unique_ptr<KernelConnections>> KernelConnections::open() {
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER, NetlinkOptions{});
  if (!socket) return fail(std::move(socket.error()).within("connection tracking"));
  const int on = 1;
  if (setsockopt(socket->fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0) {
    return fail_errno(errno, "connection tracking: short acknowledgements");
  }
  auto kept = std::make_shared<NetlinkSocket>(std::move(*socket));
  return std::make_unique<KernelConnections>(
      [kept](std::span<const std::byte> request, NetlinkSocket::OnMessage on_message) {
        return kept->exchange(request, on_message);
      });
}

template <typename Visit>
Outcome KernelConnections::walk(std::span<const std::byte> request, Visit visit) {
  int error = 0;
  auto on_message = [&](const nlmsghdr& header) {
    if (const auto code = error_of(header)) {
      if (*code != 0) error = *code;
      return true;
    }
    if (const auto connection = decode_connection(header)) visit(*connection);
    return true;
  };
  if (auto sent = exchange_(request, on_message); !sent) return fail(std::move(sent).error());
  if (error != 0) return fail_errno(error, "read the connection tracking table");
  return {};
}

template <typename Visit>
Outcome KernelConnections::walk_all(int family, Visit visit) {
  Outcome walked = walk(connection_dump(family, ++sequence_), visit);
  if (!walked && is_unknown(walked.error())) {
    return fail(ErrorCode::kUnavailable,
                "read the connection tracking table: the kernel has no ctnetlink; load the module "
                "nf_conntrack_netlink");
  }
  return walked;
}

template <typename Visit>
Outcome KernelConnections::walk_about(int family, const Floatings& floatings, Visit visit) {
  std::vector<std::vector<std::byte>> requests;
  for (const auto& [floating, under] : floatings) {
    if (family_of(floating) != family) continue;
    requests.push_back(connection_dump(floating, End::kOriginalDestination, ++sequence_));
    if (under) requests.push_back(connection_dump(floating, End::kReplyDestination, ++sequence_));
    if (family != AF_INET || requests.size() > kFilteredWalks) return walk_all(family, visit);
  }
  for (const std::vector<std::byte>& request : requests) {
    Outcome walked = walk(request, visit);
    if (!walked && is_unknown(walked.error())) return walk_all(family, visit);
    if (!walked) return walked;
  }
  return {};
}

Result<std::size_t> KernelConnections::collect(int family, const Gone& gone, Deletions& out) {
  std::size_t found = 0;
  const Outcome walked = walk_about(family, gone.floatings, [&](const ConnectionView& connection) {
    if (!gone.holds(connection)) return;
    if (out.empty() || out.back().size() > kPiece) out.emplace_back();
    append_deletion(connection, ++sequence_, out.back());
    ++found;
  });
  if (!walked) return fail(walked.error());
  return found;
}

Result<std::vector<std::size_t>> KernelConnections::count(std::span<const IpAddress> addresses) {
  std::vector<std::size_t> counts(addresses.size());
  std::unordered_map<IpAddress, std::size_t, AddressHash> places;
  for (std::size_t i = 0; i < addresses.size(); ++i) places.emplace(addresses[i], i);
  for (const int family : {AF_INET, AF_INET6}) {
    const bool any = std::any_of(addresses.begin(), addresses.end(),
                                 [&](const IpAddress& each) { return family_of(each) == family; });
    if (!any) continue;
    const Outcome walked = walk_all(family, [&](const ConnectionView& connection) {
      auto at = places.find(connection.original_destination);
      if (at == places.end()) at = places.find(connection.reply_destination);
      if (at != places.end()) ++counts[at->second];
    });
    if (!walked) return fail(walked.error());
  }
  return counts;
}

Result<std::size_t> KernelConnections::remove(const Deletions& deletions) {
  std::size_t missed = 0;
  int error = 0;
  auto on_message = [&](const nlmsghdr& header) {
    const int code = error_of(header).value_or(0);
    if (code != 0) ++missed;
    if (code != 0 && code != ENOENT) error = code;
    return true;
  };
  for (const std::vector<std::byte>& piece : deletions) {
    if (auto sent = exchange_(piece, on_message); !sent) return fail(std::move(sent).error());
  }
  if (error != 0) return fail_errno(error, "delete tracked connections");
  return missed;
}

Result<std::size_t> KernelConnections::flush(std::span<const Translation> gone) {
  Gone wanted;
  for (const Translation& each : gone) wanted.add(each);
  Deletions deletions;
  std::size_t found = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    const auto collected = collect(family, wanted, deletions);
    if (!collected) return fail(collected.error());
    found += *collected;
  }
  const auto missed = remove(deletions);
  if (!missed) return fail(missed.error());
  return found - *missed;
}

}  // namespace fipd::nat
