#include "daemon/reconcile/plan.h"

#include <algorithm>
#include <utility>

#include "daemon/reconcile/meters.h"

namespace fipd {

using nat::Map;

namespace {

PortForwards ports_of(const std::vector<Forward>& forwards) {
  PortForwards out;
  for (const Forward& each : forwards) {
    for (std::uint16_t i = 0; i < each.count; ++i) {
      out.push_back({static_cast<std::uint8_t>(each.protocol),
                     static_cast<std::uint16_t>(each.port + i),
                     {each.fixed, static_cast<std::uint16_t>(each.fixed_port + i)}});
    }
  }
  // As every reader of bindings leaves them; a source that does not must not confuse the
  // comparison.
  if (!std::is_sorted(out.begin(), out.end(), comes_before)) {
    std::sort(out.begin(), out.end(), comes_before);
  }
  return out;
}

}  // namespace

void Planner::change(Map map, const nat::Key& key, std::optional<nat::Value> before,
                     std::optional<nat::Value> after) {
  nat::ElementChange& change = plan_.mappings.emplace_back();
  change.map = map;
  change.key = key;
  change.before = std::move(before);
  change.after = std::move(after);
}

void Planner::map(Map map, const IpAddress& key, const std::optional<IpAddress>& value) {
  const auto before = nat_.find(map, key);
  if (before == value) return;
  nat_.set(map, key, value);
  if (map != Map::kHairpin) return change(map, key, before, value);
  // A set has no values: another floating IP behind an instance is no change of it.
  if (before && value) return;
  const auto in_set = [](bool there) { return there ? std::optional(nat::Value()) : std::nullopt; };
  change(map, key, in_set(before.has_value()), in_set(value.has_value()));
  if (value && rules_.snat == nat::SnatMode::kEgress) plan_.needs_forwards = true;
}

void Planner::touch_fixed(const IpAddress& fixed) {
  if (touched_once_.insert(fixed).second) touched_.push_back(fixed);
}

void Planner::keep(const Binding& binding, const Desired& desired) {
  translate(binding);
  limit(binding.floating, meters_of(desired.limits));
  if (rules_.accounting) {
    count(binding.floating);
  } else {
    stop_counting(binding.floating);
  }
  route(binding.floating, desired.route);
}

void Planner::translate(const Binding& binding) {
  const IpAddress& floating = binding.floating;
  const bool whole = binding.forwards().empty();
  // Who had the address before may have left connections behind: its next owner must not get
  // them (OpenStack's note OSSN-0020).
  if (rules_.keep_connections && !nat_.translates(floating)) {
    plan_.gone.push_back({floating, whole ? binding.fixed : IpAddress(), 0, 0, 0, true});
  }
  const auto before = nat_.find(Map::kFixedByFloating, floating);
  if (before && (!whole || *before != binding.fixed)) {
    plan_.gone.push_back({floating, *before});
    touch_fixed(*before);
  }
  if (whole) {
    map(Map::kFixedByFloating, floating, binding.fixed);
    touch_fixed(binding.fixed);
    forward(floating, {}, &binding.fixed);
  } else {
    map(Map::kFixedByFloating, floating, std::nullopt);
    forward(floating, ports_of(binding.forwards()), nullptr);
  }
}

// To what is wanted from what is known, both in order; `fixed`: the whole floating IP leads there.
void Planner::forward(const IpAddress& floating, PortForwards wanted, const IpAddress* fixed) {
  const PortForwards& known = nat_.forwards(floating);
  if (known == wanted) return;
  auto old = known.begin();
  auto next = wanted.begin();
  while (old != known.end() || next != wanted.end()) {
    if (next == wanted.end() || (old != known.end() && comes_before(*old, *next))) {
      forward_port(floating, &*old++, nullptr, fixed);
    } else if (old == known.end() || comes_before(*next, *old)) {
      forward_port(floating, nullptr, &*next++, fixed);
    } else {
      if (*old != *next) forward_port(floating, &*old, &*next, fixed);
      ++old;
      ++next;
    }
  }
  nat_.set_forwards(floating, std::move(wanted));
}

void Planner::forward_port(const IpAddress& floating, const PortForward* before,
                           const PortForward* after, const IpAddress* fixed) {
  const PortForward& any = before != nullptr ? *before : *after;
  const auto value = [](const PortForward* port) {
    return port != nullptr ? std::optional(nat::Value(port->to)) : std::nullopt;
  };
  change(Map::kForwards, {floating, any.protocol, any.port}, value(before), value(after));
  if (after != nullptr) {
    plan_.needs_forwards = true;
    touch_fixed(after->to.address);
  }
  if (before == nullptr) return;
  touch_fixed(before->to.address);
  const bool same = fixed != nullptr && before->to == nat::Endpoint{*fixed, before->port};
  const bool removed = after == nullptr && fixed == nullptr;
  if (same || (removed && rules_.keep_connections)) return;
  plan_.gone.push_back(
      {floating, before->to.address, before->protocol, before->port, before->to.port});
}

void Planner::limit(const IpAddress& floating, const Meters& wanted) {
  const Meters known = nat_.meters(floating);
  if (known == wanted) return;
  const auto compare = [&](Map map, const auto& before, const auto& after) {
    if (before == after) return;
    const auto value = [](const auto& meter) {
      return meter ? std::optional(nat::Value(*meter)) : std::nullopt;
    };
    change(map, floating, value(before), value(after));
    if (after) plan_.needs_limits = true;
  };
  compare(Map::kRateIn, known.in, wanted.in);
  compare(Map::kRateOut, known.out, wanted.out);
  compare(Map::kNewConnections, known.new_connections, wanted.new_connections);
  compare(Map::kConnections, known.connections, wanted.connections);
  nat_.set_meters(floating, wanted);
}

void Planner::count(const IpAddress& floating) {
  const Account* known = nat_.account(floating);
  if (known != nullptr && known->received && known->sent) return;
  Account account;
  if (known != nullptr) {
    account = *known;
  } else {
    account.reading = rules_.reading;
  }
  const auto open = [&](Map map, std::optional<nat::Counter>& counter, const nat::Counter& start) {
    if (counter) return;
    counter = start;
    change(map, floating, std::nullopt, start);
  };
  open(Map::kReceived, account.received, account.lost_received);
  open(Map::kSent, account.sent, account.lost_sent);
  nat_.set_account(floating, account);
}

void Planner::stop_counting(const IpAddress& floating) {
  const Account* known = nat_.account(floating);
  if (known == nullptr) return;
  if (known->received) change(Map::kReceived, floating, *known->received, std::nullopt);
  if (known->sent) change(Map::kSent, floating, *known->sent, std::nullopt);
  nat_.close_account(floating);
}

void Planner::withdraw(const IpAddress& floating) { route(floating, std::nullopt); }

void Planner::forget(const IpAddress& floating) {
  if (const auto before = nat_.find(Map::kFixedByFloating, floating)) {
    if (!rules_.keep_connections) plan_.gone.push_back({floating, *before});
    touch_fixed(*before);
  }
  map(Map::kFixedByFloating, floating, std::nullopt);
  forward(floating, {}, nullptr);
  limit(floating, {});
  stop_counting(floating);
  route(floating, std::nullopt);
}

// Adds before it deletes, so that a change of metric is never a withdrawal.
void Planner::route(const IpAddress& destination, const std::optional<bgp::HostRoute>& wanted) {
  KnownRoutes::Entries present;
  if (const auto* entries = routes_.find(destination)) present = *entries;
  bool there = false;
  for (const KnownRoutes::Entry& entry : present) {
    const bgp::HostRoute route{destination, entry.metric, entry.interface, entry.realm};
    if (!wanted || entry.metric != wanted->metric) {
      plan_.routes_down.push_back({bgp::RouteAction::kRemove, route});
      routes_.remove(route);
      continue;
    }
    there = true;
    if (route == *wanted) continue;
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

bool Planner::compare_sources(const Bindings& bindings, std::size_t limit) {
  const bool egress = rules_.snat == nat::SnatMode::kEgress;
  const Map in_use = egress ? Map::kFloatingByFixed : Map::kHairpin;
  for (; limit > 0 && !touched_.empty(); --limit) {
    const IpAddress fixed = touched_.back();
    touched_.pop_back();
    const auto source = source_of(fixed, bindings, in_use);
    map(Map::kFloatingByFixed, fixed, egress ? source : std::nullopt);
    // An instance that ports are forwarded to may call itself by them in either mode.
    auto hairpin = egress ? std::nullopt : source;
    if (!hairpin && nat_.is_forwarded_to(fixed)) hairpin = IpAddress();
    map(Map::kHairpin, fixed, hairpin);
  }
  if (touched_.empty()) touched_once_.clear();
  return !touched_.empty();
}

}  // namespace fipd
