#pragma once

#include <vector>

#include "bgp/route_table.h"
#include "daemon/reconcile/known.h"
#include "daemon/state/bindings.h"
#include "daemon/state/derive.h"
#include "nat/connections.h"
#include "nat/nat_table.h"

namespace fipd {

// What is to be written, in the order in which it is: `mappings` in one transaction, then
// `routes_up`, then `routes_down`; then the connections of `gone` are flushed. A removed address
// passes twice: first its route goes, and when the peers have let go, its mapping.
struct Plan {
  std::vector<nat::ElementChange> mappings;
  std::vector<bgp::RouteChange> routes_up;
  std::vector<bgp::RouteChange> routes_down;
  std::vector<nat::Translation> gone;

  [[nodiscard]] std::size_t size() const {
    return mappings.size() + routes_up.size() + routes_down.size();
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
};

// Computes differences between what should be and what is known, and takes them for known. Pure:
// the kernel is not asked and not written.
class Planner {
 public:
  Planner(Plan& plan, KnownNat& nat, KnownRoutes& routes)
      : plan_(plan), nat_(nat), routes_(routes) {}

  // The address is translated to `fixed` and has exactly this route, or none.
  void keep(const IpAddress& floating, const IpAddress& fixed,
            const std::optional<bgp::HostRoute>& route);
  // Its route goes; its mapping stays.
  void withdraw(const IpAddress& floating);
  // Its mapping goes as well.
  void forget(const IpAddress& floating);

  // The other direction, for every fixed IP that the calls above, or touch_fixed(), named: last,
  // before the plan is carried out. At most `limit` of them; true: there are more.
  [[nodiscard]] bool compare_sources(const Bindings& bindings, nat::SnatMode mode,
                                     std::size_t limit);
  void touch_fixed(const IpAddress& fixed);

 private:
  void map(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value);
  void route(const IpAddress& destination, const std::optional<bgp::HostRoute>& wanted);
  [[nodiscard]] std::optional<IpAddress> source_of(const IpAddress& fixed, const Bindings& bindings,
                                                   nat::Map in_use) const;

  Plan& plan_;
  KnownNat& nat_;
  KnownRoutes& routes_;
  // Each once: fifty thousand floating IPs may share one fixed IP.
  std::vector<IpAddress> touched_;
  AddressHashSet touched_once_;
};

}  // namespace fipd
