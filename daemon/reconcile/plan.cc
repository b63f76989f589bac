#include "daemon/reconcile/plan.h"

namespace fipd {

using nat::Map;

void Planner::map(Map map, const IpAddress& key, const std::optional<IpAddress>& value) {
  const auto before = nat_.find(map, key);
  if (before == value) return;
  nat_.set(map, key, value);
  // A set has no values: another floating IP behind an instance is no change of it.
  const bool set = map == Map::kHairpin;
  if (set && before && value) return;
  nat::ElementChange change{map, key, {}, {}};
  if (before) change.before = set ? nat::Value() : nat::Value(*before);
  if (value) change.after = set ? nat::Value() : nat::Value(*value);
  plan_.mappings.push_back(change);
}

void Planner::touch_fixed(const IpAddress& fixed) {
  if (touched_once_.insert(fixed).second) touched_.push_back(fixed);
}

void Planner::keep(const IpAddress& floating, const IpAddress& fixed,
                   const std::optional<bgp::HostRoute>& wanted) {
  const auto before = nat_.find(Map::kFixedByFloating, floating);
  if (before && *before != fixed) {
    plan_.gone.push_back({floating, *before});
    touch_fixed(*before);
  }
  map(Map::kFixedByFloating, floating, fixed);
  touch_fixed(fixed);
  route(floating, wanted);
}

void Planner::withdraw(const IpAddress& floating) { route(floating, std::nullopt); }

void Planner::forget(const IpAddress& floating) {
  if (const auto before = nat_.find(Map::kFixedByFloating, floating)) {
    plan_.gone.push_back({floating, *before});
    touch_fixed(*before);
  }
  map(Map::kFixedByFloating, floating, std::nullopt);
  route(floating, std::nullopt);
}

// Adds before it deletes, so that a change of metric is never a withdrawal.
void Planner::route(const IpAddress& destination, const std::optional<bgp::HostRoute>& wanted) {
  KnownRoutes::Entries present;
  if (const auto* entries = routes_.find(destination)) present = *entries;
  bool there = false;
  for (const KnownRoutes::Entry& entry : present) {
    const bgp::HostRoute route{destination, entry.metric, entry.interface};
    if (!wanted || entry.metric != wanted->metric) {
      plan_.routes_down.push_back({bgp::RouteAction::kRemove, route});
      routes_.remove(route);
      continue;
    }
    there = true;
    if (entry.interface == wanted->interface) continue;
    plan_.routes_up.push_back({bgp::RouteAction::kReplace, *wanted});
    routes_.set(*wanted);
  }
  if (wanted && !there) {
    plan_.routes_up.push_back({bgp::RouteAction::kAdd, *wanted});
    routes_.set(*wanted);
  }
}

// The floating IP under which `fixed` sends: the primary one, else the lowest; where all its
// bindings are gone but one is still translated, that one.
std::optional<IpAddress> Planner::source_of(const IpAddress& fixed, const Bindings& bindings,
                                            Map in_use) const {
  std::optional<IpAddress> best;
  bool best_is_primary = false;
  const auto translated = [&](const IpAddress& floating) {
    return nat_.find(Map::kFixedByFloating, floating) == fixed;
  };
  const auto consider = [&](const IpAddress& floating) {
    if (!translated(floating)) return;
    const bool primary = bindings.winner(floating)->binding.primary;
    const bool better = !best || (primary != best_is_primary ? primary : floating < *best);
    if (!better) return;
    best = floating;
    best_is_primary = primary;
  };
  if (const AddressSet* all = bindings.with_fixed(fixed)) all->for_each(consider);
  if (best) return best;
  const auto lingering = nat_.find(in_use, fixed);
  if (lingering && translated(*lingering)) return lingering;
  return std::nullopt;
}

bool Planner::compare_sources(const Bindings& bindings, nat::SnatMode mode, std::size_t limit) {
  const bool egress = mode == nat::SnatMode::kEgress;
  const Map in_use = egress ? Map::kFloatingByFixed : Map::kHairpin;
  const Map unused = egress ? Map::kHairpin : Map::kFloatingByFixed;
  for (; limit > 0 && !touched_.empty(); --limit) {
    const IpAddress fixed = touched_.back();
    touched_.pop_back();
    map(in_use, fixed, source_of(fixed, bindings, in_use));
    map(unused, fixed, std::nullopt);
  }
  if (touched_.empty()) touched_once_.clear();
  return !touched_.empty();
}

}  // namespace fipd
