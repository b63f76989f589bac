#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bgp/route_message.h"
#include "bgp/route_table.h"
#include "daemon/base/netlink_socket.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// The kernel's table over one rtnetlink socket, kept for life. It acts in the network namespace in
// which it was opened. A refusal reads "add route 203.0.113.7/32 dev tap9: Network is down".
class KernelRouteTable : public RouteTable {
 public:
  // `protocol` is rtm_protocol, 1 to 255.
  [[nodiscard]] static Result<std::unique_ptr<KernelRouteTable>> open(std::uint32_t table,
                                                                      unsigned protocol);

  [[nodiscard]] Result<RouteDump> dump() override;
  [[nodiscard]] Result<RouteDump> dump(unsigned interface) override;
  // A route without metric or interface is refused unsent: the kernel would take any in its place.
  [[nodiscard]] Result<std::vector<RouteFailure>> apply(
      std::span<const RouteChange> changes) override;

  // For NetworkMonitor: whose events are our own.
  [[nodiscard]] std::uint32_t port() const { return socket_.port(); }

 private:
  KernelRouteTable(NetlinkSocket socket, const RouteTableId& id);
  [[nodiscard]] Result<RouteDump> dump_both(std::optional<unsigned> interface);
  [[nodiscard]] Outcome dump_family(int family, std::optional<unsigned> interface, RouteDump& into);
  // Sends changes[first, first + count).
  [[nodiscard]] Outcome apply_batch(std::span<const RouteChange> changes, std::size_t first,
                                    std::size_t count, std::vector<RouteFailure>& failures);

  NetlinkSocket socket_;
  RouteTableId id_;
  std::vector<std::byte> buffer_;
};

}  // namespace fipd::bgp
