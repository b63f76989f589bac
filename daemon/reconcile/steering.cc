#include "daemon/reconcile/steering.h"

#include <algorithm>
#include <utility>

namespace fipd {
namespace {

// Of many new addresses BIRD is asked in bulk, which takes seconds. For longer, an address would
// be new still when the next host takes it over, and both would be preferred.
constexpr std::chrono::milliseconds kLongestYouth{10'000};

}  // namespace

void Steering::set_failing(const IpAddress& floating, std::string reason) {
  inherited_down_.erase(floating);
  failing_[floating] = std::move(reason);
}

void Steering::set_passing(const IpAddress& floating) {
  inherited_down_.erase(floating);
  failing_.erase(floating);
}

void Steering::gone(const IpAddress& floating) {
  failing_.erase(floating);
  inherited_down_.erase(floating);
  fresh_.erase(floating);
  young_.forget(floating);
  settling_.erase(floating);
  arrived_.erase(floating);
}

std::optional<Steering::Clock::time_point> Steering::noticed(const IpAddress& floating, bool shared,
                                                             Clock::time_point now) {
  if (shared || rules_.settle.count() == 0) return std::nullopt;
  if (!young_.has(floating, now, youth())) return std::nullopt;
  young_.forget(floating);
  return settling_[floating] = now + rules_.settle;
}

std::optional<Steering::Clock::time_point> Steering::activated(const IpAddress& floating,
                                                               bool shared, Clock::time_point now) {
  inherited_down_.erase(floating);
  if (shared || rules_.settle.count() == 0) return std::nullopt;
  fresh_.erase(floating);
  young_.forget(floating);
  return settling_[floating] = now + rules_.settle;
}

// A start takes what it finds without a route for one that failed its check: this one waited.
void Steering::arrived(const IpAddress& floating) {
  inherited_down_.erase(floating);
  arrived_.insert(floating);
}

// Where it is being migrated here, the earlier run had heard the instance: it is not withdrawn
// again.
void Steering::inherit_settling(const IpAddress& floating, Clock::time_point until) {
  settling_[floating] = until;
  arrived_.insert(floating);
}

std::chrono::milliseconds Steering::youth() const { return std::min(rules_.settle, kLongestYouth); }

std::optional<std::string> Steering::failure_of(const Binding& binding) const {
  if (!binding.extras->check) return std::nullopt;
  if (const auto at = failing_.find(binding.floating); at != failing_.end()) return at->second;
  if (!inherited_down_.contains(binding.floating)) return std::nullopt;
  return "its check failed before the restart, and has not answered since";
}

Steering::Word Steering::of(const Binding& binding, Clock::time_point now) const {
  const IpAddress& floating = binding.floating;
  if (host_drained_) return {Steer::kDrained, "drained with the whole host"};
  if (drained_.contains(floating)) return {Steer::kDrained, "drained"};
  if (auto failure = failure_of(binding)) {
    return {rules_.withdraw_failing ? Steer::kWithdrawn : Steer::kDrained, std::move(*failure)};
  }
  const auto at = settling_.find(floating);
  if (at == settling_.end() || now >= at->second) return {};
  return {Steer::kPreferred, "taken over from another host: preferred for the settling time"};
}

Steering::Word Steering::of(const Claim& claim, Clock::time_point now) const {
  Word word = of(claim.binding, now);
  const IpAddress& floating = claim.binding.floating;
  if (claim.role == Claim::Role::kTarget && arrived_.contains(floating)) {
    if (word.steer != Steer::kNone && word.steer != Steer::kPreferred) return word;
    return {Steer::kPreferred,
            fmt::format("heard on its interface: taken over from {} before its migration is told "
                        "to be done",
                        claim.peer)};
  }
  if (claim.role == Claim::Role::kTarget) {
    return {Steer::kWithdrawn, fmt::format("prepared: is being migrated here from {}", claim.peer)};
  }
  if (claim.role == Claim::Role::kLeaving && word.steer != Steer::kWithdrawn) {
    return {Steer::kDrained,
            fmt::format("moves to {}: a last resort until this binding goes", claim.peer)};
  }
  return word;
}

void Steering::routed(const IpAddress& floating, Clock::time_point now) {
  if (fresh_.empty() || fresh_.erase(floating) == 0) return;
  young_.note(floating, now, youth());
}

}  // namespace fipd
