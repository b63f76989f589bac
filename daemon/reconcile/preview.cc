#include "daemon/reconcile/preview.h"

#include <limits>
#include <utility>

namespace fipd {
namespace {

// The part of bindings and kernel that a request concerns, to be planned with.
class Excerpt {
 public:
  explicit Excerpt(const PreviewView& view) : view_(view) {}

  // A floating IP whose outcome may change: with all that it leads to, now or after the request.
  void add(const IpAddress& floating) {
    if (!concerned_once_.insert(floating).second) return;
    concerned_.push_back(floating);
    take_floating(floating);
    if (const auto fixed = view_.nat.find(nat::Map::kFixedByFloating, floating)) take_fixed(*fixed);
    for (const PortForward& each : view_.nat.forwards(floating)) take_fixed(each.to.address);
    for (const Claim& claim : view_.bindings.claims(floating)) take_target(claim.binding);
  }
  void take_target(const Binding& binding) {
    binding.for_each_fixed([this](const IpAddress& fixed) { take_fixed(fixed); });
  }

  [[nodiscard]] const std::vector<IpAddress>& concerned() const { return concerned_; }
  Bindings bindings;
  KnownNat nat;
  KnownRoutes routes;

 private:
  void take_floating(const IpAddress& floating) {
    if (!floatings_.insert(floating).second) return;
    for (const Claim& claim : view_.bindings.claims(floating)) bindings.put(claim);
    nat.copy_floating(view_.nat, floating);
    if (const KnownRoutes::Entries* entries = view_.routes.find(floating)) {
      for (const auto& entry : *entries) {
        routes.set({floating, entry.metric, entry.interface, entry.realm});
      }
    }
  }

  // And those that may become its source address.
  void take_fixed(const IpAddress& fixed) {
    if (!fixed_.insert(fixed).second) return;
    nat.copy_fixed(view_.nat, fixed);
    take_floating(fixed);  // whether it is one
    for (const nat::Map map : {nat::Map::kFloatingByFixed, nat::Map::kHairpin}) {
      if (const auto source = view_.nat.find(map, fixed)) take_floating(*source);
    }
    const AddressSet* all = view_.bindings.with_fixed(fixed);
    if (all != nullptr) all->for_each([this](const IpAddress& each) { take_floating(each); });
  }

  const PreviewView& view_;
  std::vector<IpAddress> concerned_;
  AddressHashSet concerned_once_;
  AddressHashSet floatings_;
  AddressHashSet fixed_;
};

// Whoever has the address for its fixed IP is refused, or is so no more.
void add(Excerpt& excerpt, const IpAddress& floating, const Bindings& bindings) {
  excerpt.add(floating);
  const AddressSet* all = bindings.with_fixed(floating);
  if (all != nullptr) all->for_each([&](const IpAddress& each) { excerpt.add(each); });
}

// As the reconciler compares one address.
void compare(const IpAddress& floating, const PreviewView& view, Excerpt& excerpt, Planner& planner,
             Preview& out, std::vector<IpAddress>& later) {
  const Claim* claim = excerpt.bindings.winner(floating);
  if (claim != nullptr) {
    Desired desired = derive(claim->binding, view.derive, view.host, excerpt.bindings,
                             view.interface_to, view.steer(claim->binding));
    if (!desired.refusal) {
      planner.keep(claim->binding, desired);
      if (!desired.waiting.empty())
        out.waiting.push_back({floating, "", std::move(desired.waiting)});
      return;
    }
    out.refused.push_back(
        {floating, std::string(desired.refusal->code), std::move(desired.refusal->text)});
  }
  if (excerpt.routes.find(floating) != nullptr) {
    planner.withdraw(floating);
    later.push_back(floating);
  } else if (view.lingers(floating)) {
    later.push_back(floating);
  } else {
    planner.forget(floating);
  }
}

void compare_sources(Planner& planner, const Bindings& bindings) {
  while (planner.compare_sources(bindings, std::numeric_limits<std::size_t>::max())) {
  }
}

}  // namespace

Preview preview(const PreviewRequest& request, const PreviewView& view) {
  Excerpt excerpt(view);
  for (const Binding& binding : request.put) {
    excerpt.take_target(binding);
    add(excerpt, binding.floating, view.bindings);
  }
  for (const IpAddress& floating : request.remove) add(excerpt, floating, view.bindings);

  for (const Binding& binding : request.put) {
    constexpr auto kNewest = std::numeric_limits<std::uint64_t>::max();
    excerpt.bindings.put({binding, request.rank, kNewest, request.origin});
  }
  for (const IpAddress& floating : request.remove) {
    excerpt.bindings.remove(floating, request.origin);
  }

  Preview out;
  std::vector<IpAddress> later;
  Plan now;
  Planner planner(now, excerpt.nat, excerpt.routes, view.plan);
  for (const IpAddress& floating : excerpt.concerned()) {
    compare(floating, view, excerpt, planner, out, later);
  }
  compare_sources(planner, excerpt.bindings);
  Plan then;
  Planner end(then, excerpt.nat, excerpt.routes, view.plan);
  for (const IpAddress& floating : later) end.forget(floating);
  compare_sources(end, excerpt.bindings);

  out.needs_forwards = now.needs_forwards;
  out.needs_limits = now.needs_limits;
  out.elements = std::move(now.mappings);
  out.routes = std::move(now.routes_up);
  out.routes.insert(out.routes.end(), now.routes_down.begin(), now.routes_down.end());
  out.elements_later = std::move(then.mappings);
  return out;
}

}  // namespace fipd
