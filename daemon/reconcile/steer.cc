// Drain, health and taking over: what they make of the addresses they concern.
#include <utility>

#include "daemon/reconcile/pass_state.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {

void Reconciler::drain(const std::optional<IpAddress>& floating, bool drained) {
  if (floating) {
    if (drained) steering_.drain(*floating);
    if (!drained) steering_.undrain(*floating);
    return mark(*floating);
  }
  steering_.drain_host(drained);
  mark_all();
}

void Reconciler::set_failing(const IpAddress& floating, std::string reason) {
  steering_.set_failing(floating, std::move(reason));
  mark(floating);
}

void Reconciler::set_passing(const IpAddress& floating) {
  steering_.set_passing(floating);
  mark(floating);
}

void Reconciler::noticed_elsewhere(const IpAddress& floating) {
  const Claim* claim = bindings_.winner(floating);
  if (claim == nullptr) return;
  const auto until = steering_.noticed(floating, claim->binding.extras->shared, Clock::now());
  if (!until) return;
  alarms_.set(*until, floating);
  mark(floating);
}

// Once in a migration: an instance cannot make its address come and go by what it says.
void Reconciler::arrived(const IpAddress& floating) {
  const Claim* claim = bindings_.winner(floating);
  if (claim == nullptr || claim->role != Claim::Role::kTarget) return;
  awaited_.erase(floating);
  steering_.arrived(floating);
  mark(floating);
}

boost::asio::awaitable<Result<std::vector<std::size_t>>> Reconciler::count_connections(
    std::vector<IpAddress> floatings) {
  auto work = [floatings = std::move(floatings), &table = kernel_.connections] {
    return table.count(floatings);
  };
  Result<std::vector<std::size_t>> counts = co_await flush_thread_.run(std::move(work));
  co_return counts;
}

// What an earlier run was in the middle of. Its preferred metric has the whole settling time again:
// how much of it had passed is not known, and too early a return may lead back to the other host.
void Reconciler::inherit() {
  const auto until = Clock::now() + rules_.steering.settle;
  const std::uint32_t preferred = rules_.derive.preferred_metric;
  const std::uint32_t drained = rules_.derive.drained_metric;
  routes_.for_each([&](const IpAddress& floating, const KnownRoutes::Entries& entries) {
    for (const KnownRoutes::Entry& entry : entries) {
      if (entry.metric >= drained) steering_.inherit_down(floating);
      if (entry.metric != preferred) continue;
      steering_.inherit_settling(floating, until);
      alarms_.set(until, floating);
    }
  });
  nat_.for_each_floating([&](const IpAddress& floating) {
    if (routes_.find(floating) == nullptr) steering_.inherit_down(floating);
  });
}

Desired Reconciler::steered(const Claim& claim, Pass& pass, Steering::Word& word) {
  const IpAddress& floating = claim.binding.floating;
  word = steering_.of(claim, pass.now);
  const auto lookup = [this](const IpAddress& fixed) {
    return kernel_.network.interface_to(fixed);
  };
  Desired desired = derive(claim.binding, rules_.derive, host_, bindings_, lookup, word.steer);
  if (desired.blind) return desired;
  watch(claim, desired);
  await_instance(claim, desired);
  if (desired.route) steering_.routed(floating, pass.now);
  return desired;
}

// Checked while it has an interface, and while its instance is not still to come: without it there
// is nobody to ask, and many migrations at once would put the brake on.
void Reconciler::watch(const Claim& claim, const Desired& desired) {
  const IpAddress& floating = claim.binding.floating;
  const bool wanted = claim.binding.extras->check && desired.translated() &&
                      desired.waiting.empty() &&
                      (claim.role != Claim::Role::kTarget || steering_.has_arrived(floating));
  if (!wanted) return unwatch(floating);
  checked_.insert(floating);
  if (on_check_) on_check_(floating, &claim.binding);
}

void Reconciler::unwatch(const IpAddress& floating) {
  if (checked_.empty() || checked_.erase(floating) == 0) return;
  steering_.set_passing(floating);
  if (on_check_) on_check_(floating, nullptr);
}

// On an interface that the binding names. One that the host's route leads to may be a bridge, where
// any instance could speak for another.
void Reconciler::await_instance(const Claim& claim, const Desired& desired) {
  const IpAddress& floating = claim.binding.floating;
  const bool wanted = claim.role == Claim::Role::kTarget && !claim.binding.interface.empty() &&
                      desired.interface != 0 && !steering_.has_arrived(floating);
  if (!wanted) return await_no_more(floating);
  awaited_.insert(floating);
  std::vector<IpAddress> fixed;
  claim.binding.for_each_fixed([&](const IpAddress& each) { fixed.push_back(each); });
  if (on_awaited_) on_awaited_(floating, desired.interface, std::move(fixed));
}

void Reconciler::await_no_more(const IpAddress& floating) {
  if (awaited_.empty() || awaited_.erase(floating) == 0) return;
  if (on_awaited_) on_awaited_(floating, 0, {});
}

}  // namespace fipd
