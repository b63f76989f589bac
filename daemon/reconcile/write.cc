// The writes of a pass, in the promised order, and what follows from a refusal.
#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/reconcile/backoff.h"
#include "daemon/reconcile/pass_state.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {
namespace {

constexpr unsigned kTriesBeforeBlame = 3;

bool somebody_else_wrote(const nat::CommitFailure& failure) {
  return std::all_of(failure.refused.begin(), failure.refused.end(), [](const auto& each) {
    return each.error.os_error() == ENOENT || each.error.os_error() == EEXIST;
  });
}

}  // namespace

boost::asio::awaitable<bool> Reconciler::write(Pass& pass) {
  if (!pass.plan.mappings.empty()) {
    const bool committed = co_await write_mappings(pass);
    if (!committed) co_return false;
  }
  // Here and not last: whatever becomes of the routes, these translations are gone.
  if (!pass.plan.gone.empty()) {
    to_flush_.insert(to_flush_.end(), pass.plan.gone.begin(), pass.plan.gone.end());
    flush_.notify_all();
  }
  if (!pass.plan.routes_up.empty()) {
    const bool up = co_await write_routes(pass, pass.plan.routes_up);
    if (!up) co_return false;
    // Where the new metric was refused the old one stays: better announced as before than not.
    std::erase_if(pass.plan.routes_down, [&](const bgp::RouteChange& change) {
      return pass.unrouted.contains(change.route.destination);
    });
  }
  if (!pass.plan.routes_down.empty()) {
    const bool down = co_await write_routes(pass, pass.plan.routes_down);
    if (!down) co_return false;
  }
  co_return true;
}

boost::asio::awaitable<bool> Reconciler::write_mappings(Pass& pass) {
  const bool ready = co_await write_features(pass);
  if (!ready) co_return false;
  const std::vector<nat::ElementChange>& changes = pass.plan.mappings;
  using Committed = tl::expected<void, nat::CommitFailure>;
  Committed committed;
  if (changes.size() <= Pass::kInline) {
    committed = kernel_.nat.commit(changes);
  } else {
    committed = co_await commit_unheard(changes);
    pass.slice_start = Clock::now();
  }
  if (committed) {
    ++counters_.nat_transactions;
    counters_.nat_elements += changes.size();
    co_return true;
  }
  co_await refused(pass, committed.error());
  co_return false;
}

boost::asio::awaitable<void> Reconciler::refused(const Pass& pass,
                                                 const nat::CommitFailure& failure) {
  ++counters_.nat_refusals;
  ++refused_in_a_row_;
  const std::vector<nat::ElementChange>& changes = pass.plan.mappings;
  spdlog::warn("nftables refused a transaction of {} change(s): {}", changes.size(),
               failure.error.message());
  bool blamed = false;
  if (!somebody_else_wrote(failure) || refused_in_a_row_ > kTriesBeforeBlame) {
    for (const auto& each : failure.refused) {
      const auto floating = floating_of(changes[each.index]);
      if (!floating) continue;
      refuse(*floating, each.error);
      blamed = true;
    }
  }
  if (!blamed && refused_in_a_row_ > 1) co_await pause(backoff(refused_in_a_row_));
}

// Whose change it is; nothing where that is not known any more.
std::optional<IpAddress> Reconciler::floating_of(const nat::ElementChange& change) const {
  if (change.map == nat::Map::kFloatingByFixed) {
    return std::get<IpAddress>(change.after ? *change.after : *change.before);
  }
  if (change.map != nat::Map::kHairpin) return change.key.address;
  const IpAddress& fixed = change.key.address;
  const auto behind = nat_.find(change.map, fixed);
  if (behind && !behind->is_unspecified()) return behind;
  // The instance that ports are forwarded to: any that does.
  std::optional<IpAddress> any;
  const AddressSet* all = bindings_.with_fixed(fixed);
  if (all != nullptr) all->for_each([&](const IpAddress& floating) { any = floating; });
  return any;
}

// Rules that the plan's elements are the first to need, before the transaction that has them. By
// libnftables, so not on the loop.
boost::asio::awaitable<bool> Reconciler::write_features(Pass& pass) {
  const bool forwards = pass.plan.needs_forwards && !ruleset().forwards;
  const bool limits = pass.plan.needs_limits && !ruleset().limits;
  if (!forwards && !limits) co_return true;
  const nat::RulesetOptions have = ruleset();
  forwards_needed_ |= forwards;
  limits_needed_ |= limits;
  auto work = [&table = kernel_.nat, options = ruleset()] { return table.ensure_ruleset(options); };
  const Result<std::string> written = co_await kernel_thread_.run(std::move(work));
  pass.slice_start = Clock::now();
  if (!written) {
    forwards_needed_ &= !forwards;
    limits_needed_ &= !limits;
    co_await features_refused(pass, have, written.error());
    co_return false;
  }
  if (!written->empty()) spdlog::info("nftables rules extended: {}", *written);
  co_return true;
}

// A kernel without a module that limits need, say. Held up are only those that need the rules:
// the others' next pass does without.
boost::asio::awaitable<void> Reconciler::features_refused(const Pass& pass,
                                                          const nat::RulesetOptions& have,
                                                          const Error& error) {
  ++counters_.nat_refusals;
  if (++refused_in_a_row_ == 1) co_return;  // once more, at once
  AddressHashSet blamed;
  for (const nat::ElementChange& change : pass.plan.mappings) {
    if (!change.after || nat::has(have, change.map)) continue;
    const auto floating = floating_of(change);
    if (floating && blamed.insert(*floating).second) refuse(*floating, error);
  }
  if (blamed.empty()) co_await pause(backoff(refused_in_a_row_));
}

// A big transaction, on the kernel's thread and with its events turned off. The generation says
// whether somebody else committed meanwhile: then everything is read again.
boost::asio::awaitable<tl::expected<void, nat::CommitFailure>> Reconciler::commit_unheard(
    const std::vector<nat::ElementChange>& changes) {
  const Result<std::uint32_t> before = kernel_.nat.generation();
  if (nat_events_ != nullptr) nat_events_->mute();
  auto work = [&table = kernel_.nat, &changes] { return table.commit(changes); };
  tl::expected<void, nat::CommitFailure> committed = co_await kernel_thread_.run(std::move(work));
  if (nat_events_ != nullptr) nat_events_->unmute();
  const Result<std::uint32_t> after = kernel_.nat.generation();
  if (!before || !after || *after != *before + 1) suspect_nat("");
  co_return committed;
}

boost::asio::awaitable<bool> Reconciler::write_routes(
    Pass& pass, const std::vector<bgp::RouteChange>& changes) {
  using Applied = Result<std::vector<bgp::RouteFailure>>;
  Applied applied;
  if (changes.size() <= Pass::kInline) {
    applied = kernel_.routes.apply(changes);
  } else {
    auto work = [&table = kernel_.routes, &changes] { return table.apply(changes); };
    applied = co_await kernel_thread_.run(std::move(work));
    pass.slice_start = Clock::now();
  }
  if (!applied) {
    ++counters_.route_refusals;
    ++refused_in_a_row_;
    spdlog::warn("the kernel took no routes: {}", applied.error().message());
    co_await pause(backoff(refused_in_a_row_));
    co_return false;
  }
  counters_.route_changes += changes.size() - applied->size();
  for (const bgp::RouteFailure& failure : *applied) {
    ++counters_.route_refusals;
    // The mapping is in, the other routes too: only this address is held up. What the table now
    // holds for it is unknown, so it is read.
    pass.unrouted.insert(changes[failure.index].route.destination);
    refuse(changes[failure.index].route.destination, failure.error);
    routes_suspect_ = true;
  }
  co_return true;
}

void Reconciler::refuse(const IpAddress& floating, const Error& error) {
  Failure& failure = failures_[floating];
  failure.text = error.message();
  failure.retry = Clock::now() + backoff(failure.attempts++);
  alarms_.set(failure.retry, floating);
  spdlog::error("{} refused by the kernel: {}", floating, failure.text);
}

boost::asio::awaitable<void> Reconciler::pause(std::chrono::milliseconds time) {
  boost::asio::steady_timer timer(executor_, time);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace fipd
