#pragma once

#include <vector>

#include "bgp/route_table.h"
#include "daemon/reconcile/known_nat.h"
#include "daemon/reconcile/known_routes.h"
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
  // `mappings` adds elements that only these rules have (nat::RulesetOptions).
  bool needs_forwards = false;
  bool needs_limits = false;

  [[nodiscard]] std::size_t size() const {
    return mappings.size() + routes_up.size() + routes_down.size();
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
};

struct PlanRules {
  nat::SnatMode snat = nat::SnatMode::kEgress;
  bool accounting = false;
  // Connections of a translation that is removed, not changed, live on.
  bool keep_connections = false;
  unsigned reading = 0;  // number of the last reading of the counters
};

// Computes differences between what should be and what is known, and takes them for known. Pure:
// the kernel is not asked and not written.
class Planner {
 public:
  Planner(Plan& plan, KnownNat& nat, KnownRoutes& routes, PlanRules rules)
      : plan_(plan), nat_(nat), routes_(routes), rules_(rules) {}

  // The address is translated as `binding` says, limited, counted, and has exactly the desired
  // route, or none.
  void keep(const Binding& binding, const Desired& desired);
  // Its route goes; its elements stay.
  void withdraw(const IpAddress& floating);
  // Its elements go as well.
  void forget(const IpAddress& floating);

  // The other direction, for every fixed IP that the calls above, or touch_fixed(), named: last,
  // before the plan is carried out. At most `limit` of them; true: there are more.
  [[nodiscard]] bool compare_sources(const Bindings& bindings, std::size_t limit);
  void touch_fixed(const IpAddress& fixed);

 private:
  void change(nat::Map map, const nat::Key& key, std::optional<nat::Value> before,
              std::optional<nat::Value> after);
  void map(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value);
  void translate(const Binding& binding);
  void forward(const IpAddress& floating, PortForwards wanted, const IpAddress* fixed);
  void forward_port(const IpAddress& floating, const PortForward* before, const PortForward* after,
                    const IpAddress* fixed);
  void limit(const IpAddress& floating, const Meters& wanted);
  void count(const IpAddress& floating);
  void stop_counting(const IpAddress& floating);
  void route(const IpAddress& destination, const std::optional<bgp::HostRoute>& wanted);
  [[nodiscard]] std::optional<IpAddress> source_of(const IpAddress& fixed, const Bindings& bindings,
                                                   nat::Map in_use) const;

  Plan& plan_;
  KnownNat& nat_;
  KnownRoutes& routes_;
  PlanRules rules_;
  // Each once: fifty thousand floating IPs may share one fixed IP.
  std::vector<IpAddress> touched_;
  AddressHashSet touched_once_;
};

}  // namespace fipd
