#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// A host route in the routing table that BIRD learns from: "172.16.1.3 dev tap9a7e0868-da scope
// link metric 1024 realm 7", with the table's own number and protocol understood.
struct HostRoute {
  IpAddress destination;
  std::uint32_t metric = 0;
  unsigned interface = 0;   // ifindex
  std::uint32_t realm = 0;  // RTA_FLOW; 0: none. The kernel keeps none for IPv6, without a word

  friend bool operator==(const HostRoute&, const HostRoute&) = default;
};

// Somebody else's route in our table: reported, because BIRD may prefer it, and never touched.
struct StrangerRoute {
  Prefix destination;
  std::uint32_t metric = 0;
  unsigned protocol = 0;  // rtm_protocol

  friend bool operator==(const StrangerRoute&, const StrangerRoute&) = default;
};

struct RouteDump {
  std::vector<HostRoute> own;
  std::vector<StrangerRoute> strangers;
};

enum class RouteAction {
  kAdd,      // EEXIST where any route, ours or a stranger's, has destination and metric
  kReplace,  // of our route with the same destination and metric: one change, no gap
  kRemove,   // of exactly our route; one that is gone already counts as removed
};

struct RouteChange {
  RouteAction action = RouteAction::kAdd;
  HostRoute route;

  friend bool operator==(const RouteChange&, const RouteChange&) = default;
};

// A change that the kernel refused: changes[index], with the route's text in the error.
struct RouteFailure {
  std::size_t index = 0;
  Error error;
};

// The kernel's routing table, narrow: the seam for the fake. Reads answer both families. One
// caller at a time, from any thread; nothing waits for anything but the kernel.
class RouteTable {
 public:
  virtual ~RouteTable() = default;

  // Everything in the table. About 8 ms for 100,000 routes.
  [[nodiscard]] virtual Result<RouteDump> dump() = 0;
  // Only what leaves by one interface (the kernel filters).
  [[nodiscard]] virtual Result<RouteDump> dump(unsigned interface) = 0;
  // In this order, in batches of 256. A refused change stops nothing. An error as the whole result
  // only where the socket itself fails; then nothing is known: dump again.
  [[nodiscard]] virtual Result<std::vector<RouteFailure>> apply(
      std::span<const RouteChange> changes) = 0;
};

}  // namespace fipd::bgp
