// One pass: compare what is marked, write the differences in the promised order, conclude.
#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "daemon/reconcile/pass_state.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {
namespace {

// A pass that holds the loop longer than this lets others run.
constexpr std::chrono::milliseconds kSlice{3};
// Of where a fixed IP leads, while the kernel does not answer.
constexpr std::chrono::seconds kBetweenLookups{1};
// How many changes of one pass are told one by one; of more, only their number is.
constexpr std::size_t kTold = 100;

Standing standing_of(const Desired& desired, Steering::Word word) {
  if (!desired.waiting.empty()) return {State::kWaiting, desired.waiting};
  if (!desired.route) return {State::kTranslated, std::move(word.reason)};
  const bool drained = word.steer == Steer::kDrained;
  return {drained ? State::kDrained : State::kRouted, std::move(word.reason)};
}

}  // namespace

boost::asio::awaitable<void> Reconciler::pass() {
  ++started_;
  ++counters_.passes;
  Pass pass(nat_, routes_, plan_rules());
  pass.marked_at = first_mark_;
  pass.now = pass.slice_start = Clock::now();
  // Whatever is marked from here on is the next pass's: settled() counts on it.
  pass.marked = std::exchange(marked_, {});
  pass.all = std::exchange(all_marked_, false);
  pass.culprit = std::exchange(nat_culprit_, {});
  if (pass.culprit.empty()) pass.culprit = std::exchange(routes_culprit_, {});
  routes_culprit_.clear();
  make_room(pass);
  co_await compare(pass);
  note_gap(pass);
  const bool written = co_await write(pass);
  if (written) {
    co_await conclude(pass);
    refused_in_a_row_ = 0;
    done_ = started_;
  } else {
    // Nothing is known of what was half written: the next pass reads, looks at all of these, and
    // answers those who wait.
    nat_suspect_ = routes_suspect_ = true;
    rules_were_gone_ |= pass.after_gap;
    mark_all();
  }
}

// What began meanwhile is not translated, and would stay so while its sender goes on: it goes as a
// translation of each address to itself.
void Reconciler::note_gap(Pass& pass) {
  pass.after_gap = std::exchange(rules_were_gone_, false);
  if (!pass.after_gap) return;
  nat_.for_each_floating([&](const IpAddress& floating) {
    pass.plan.gone.push_back({floating, floating});
  });
}

// Ten thousand steps of growth are short, but the longest of them are not.
void Reconciler::make_room(Pass& pass) {
  const std::size_t count = std::max(pass.marked.size(), pass.all ? bindings_.size() : 0);
  if (count <= Pass::kInline) return;
  pass.verdicts.reserve(count);
  pass.plan.mappings.reserve(2 * count);
  pass.plan.routes_up.reserve(count);
  nat_.reserve(bindings_.size());
  routes_.reserve(bindings_.size());
  standings_.reserve(bindings_.size());
}

// Adds what mark_all() stands for: whatever is claimed, and whatever only the kernel knows.
boost::asio::awaitable<void> Reconciler::gather(Pass& pass) {
  const std::vector<IpAddress> floatings = bindings_.floatings();
  for (const IpAddress& floating : floatings) {
    compare(floating, pass);
    if (held_long(pass)) co_await yield(pass);
  }
  // Noted first and compared after: comparing writes to what is walked here.
  std::vector<IpAddress> unclaimed;
  const auto note = [&](const IpAddress& floating) {
    if (bindings_.winner(floating) == nullptr) unclaimed.push_back(floating);
  };
  nat_.for_each_floating(note);
  if (held_long(pass)) co_await yield(pass);
  routes_.for_each_destination(note);
  if (held_long(pass)) co_await yield(pass);
  standings_.for_each([&](const IpAddress& floating, const Standing&) { note(floating); });
  for (const nat::Map map : {nat::Map::kFloatingByFixed, nat::Map::kHairpin}) {
    if (held_long(pass)) co_await yield(pass);
    nat_.for_each(
        map, [&](const IpAddress& fixed, const IpAddress&) { pass.planner.touch_fixed(fixed); });
  }
  for (const IpAddress& floating : unclaimed) {
    compare(floating, pass);
    if (held_long(pass)) co_await yield(pass);
  }
}

boost::asio::awaitable<void> Reconciler::compare(Pass& pass) {
  for (const IpAddress& floating : pass.marked) {
    compare(floating, pass);
    if (held_long(pass)) co_await yield(pass);
  }
  if (pass.all) co_await gather(pass);
  while (pass.planner.compare_sources(bindings_, 256)) {
    if (held_long(pass)) co_await yield(pass);
  }
}

void Reconciler::compare(const IpAddress& floating, Pass& pass) {
  // Marked again since the pass began: perhaps in the middle of a batch. The next pass has it
  // whole.
  if (marked_.contains(floating)) return;
  const Claim* claim = bindings_.winner(floating);
  if (claim == nullptr) return retire(floating, pass);
  const auto failed = failures_.find(floating);
  if (failed != failures_.end() && pass.now < failed->second.retry) {
    pass.verdicts.push_back({floating, {State::kFailed, failed->second.text}, false});
    return;
  }
  Steering::Word word;
  Desired desired = steered(*claim, pass, word);
  if (desired.refusal) {
    retire(floating, pass);
    pass.verdicts.back().standing = {State::kRefused, std::move(desired.refusal->text)};
    return;
  }
  if (desired.blind) return leave_alone(floating, std::move(desired.waiting), pass);
  if (desired.route) {
    withdrawing_.erase(floating);
  } else if (routes_.find(floating) != nullptr) {
    note_withdrawal(floating, pass.now);
  }
  const bool unnamed = claim->binding.interface.empty();
  if (unnamed && !desired.waiting.empty()) {
    waiting_unnamed_.insert(floating);
  } else if (!waiting_unnamed_.empty()) {
    waiting_unnamed_.erase(floating);
  }
  const std::size_t before = pass.plan.size();
  pass.planner.keep(claim->binding, desired);
  pass.verdicts.push_back(
      {floating, standing_of(desired, std::move(word)), pass.plan.size() != before});
}

// Where it leads is not known just now: nothing is withdrawn because we cannot look.
void Reconciler::leave_alone(const IpAddress& floating, std::string why, Pass& pass) {
  alarms_.set(pass.now + kBetweenLookups, floating);
  Verdict verdict{floating, {State::kWaiting, std::move(why)}, false};
  const Standing* before = standings_.find(floating);
  if (before != nullptr && routes_.find(floating) != nullptr) verdict.standing = *before;
  pass.verdicts.push_back(std::move(verdict));
}

// Nobody claims it, or nobody may: its route goes at once, its mapping when the peers have let go.
void Reconciler::retire(const IpAddress& floating, Pass& pass) {
  waiting_unnamed_.erase(floating);
  unwatch(floating);
  await_no_more(floating);
  Verdict verdict{floating, {State::kWithdrawing, ""}, false};
  const auto lingering = withdrawing_.find(floating);
  if (adopted_.contains(floating) && !complete()) {
    verdict.standing.reason = "left by an earlier run; a source is not complete yet";
  } else if (routes_.find(floating) != nullptr) {
    pass.planner.withdraw(floating);
    note_withdrawal(floating, pass.now);
    alarms_.set(withdrawing_[floating].deadline, floating);
    verdict.standing.reason = "route withdrawn; translated until the peers have let go";
    verdict.written = true;
  } else if (lingering != withdrawing_.end() && !lingering->second.released &&
             pass.now < lingering->second.deadline) {
    // Its route may have gone earlier, with its interface; the peers need their time all the same.
    alarms_.set(lingering->second.deadline, floating);
    verdict.standing.reason = "route withdrawn; translated until the peers have let go";
  } else {
    const std::size_t before = pass.plan.size();
    pass.planner.forget(floating);
    withdrawing_.erase(floating);
    verdict.written = pass.plan.size() != before;
  }
  pass.verdicts.push_back(std::move(verdict));
}

void Reconciler::note_withdrawal(const IpAddress& floating, Clock::time_point now) {
  withdrawing_[floating] = Withdrawal{now + rules_.linger};
}

boost::asio::awaitable<void> Reconciler::conclude(Pass& pass) {
  std::size_t told = 0;
  for (const Verdict& verdict : pass.verdicts) {
    if (verdict.written) ++told;
  }
  pass.tell_each = told <= kTold;
  for (Verdict& verdict : pass.verdicts) {
    conclude(verdict, pass);
    if (held_long(pass)) co_await yield(pass);
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - pass.marked_at);
  if (!pass.culprit.empty() && !pass.plan.empty()) {
    ++counters_.repairs;
    const std::string text = fmt::format(
        "repaired {} map element(s) and {} route(s) after {}", pass.plan.mappings.size(),
        pass.plan.routes_up.size() + pass.plan.routes_down.size(), pass.culprit);
    spdlog::warn("{}", text);
    events_.publish("repaired", std::nullopt, text);
  }
  if (!pass.tell_each) spdlog::info("{} floating IPs changed, took={}ms", told, took.count());
}

void Reconciler::conclude(Verdict& verdict, Pass& pass) {
  const IpAddress& floating = verdict.floating;
  const auto failed = failures_.find(floating);
  if (failed != failures_.end()) {
    if (failed->second.retry > pass.now) {
      verdict.standing = {State::kFailed, failed->second.text};
    } else {
      failures_.erase(failed);
    }
  }
  std::optional<Standing> before;
  if (const Standing* standing = standings_.find(floating)) before = *standing;
  const bool gone = verdict.standing.state == State::kWithdrawing && !nat_.translates(floating);
  bool news = gone ? before.has_value() : standings_.set(floating, verdict.standing);
  if (gone) standings_.erase(floating);
  if (pass.tell_each && (news || verdict.written)) tell(verdict, gone, pass);
  if (!verdict.written) return;
  const auto& call = routes_.find(floating) == nullptr ? on_unrouted_ : on_routed_;
  if (call) call(floating);
}

// One line a change, in the log and for whoever listens.
void Reconciler::tell(const Verdict& verdict, bool gone, const Pass& pass) {
  const IpAddress& floating = verdict.floating;
  const Claim* claim = bindings_.winner(floating);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - pass.marked_at);
  const Standing& standing = verdict.standing;
  std::string kind(to_string(standing.state));
  std::string text;
  if (gone) {
    kind = "removed";
    text = fmt::format("removed {} took={}ms", floating, took.count());
  } else if (standing.state == State::kRouted && claim != nullptr) {
    const auto* entries = routes_.find(floating);
    const bgp::Link* link = entries != nullptr ? host_.link(entries->front().interface) : nullptr;
    kind = "bound";
    text = fmt::format("bound {} -> {} via {} source={} took={}ms", floating,
                       to_string(target_of(claim->binding)), link != nullptr ? link->name : "?",
                       claim->origin, took.count());
    if (!standing.reason.empty()) text += "; " + standing.reason;
  } else {
    text = fmt::format("{} {}: {}", kind, floating, standing.reason);
  }
  const bool bad = standing.state == State::kFailed || standing.state == State::kRefused;
  spdlog::log(bad ? spdlog::level::warn : spdlog::level::info, "{}", text);
  events_.publish(std::move(kind), floating, std::move(text));
}

bool Reconciler::held_long(const Pass& pass) {
  const auto held = Clock::now() - pass.slice_start;
  counters_.longest_slice_ns =
      std::max(counters_.longest_slice_ns, static_cast<std::uint64_t>(held.count()));
  return held > kSlice;
}

boost::asio::awaitable<void> Reconciler::yield(Pass& pass) {
  co_await boost::asio::post(executor_, boost::asio::use_awaitable);
  pass.slice_start = Clock::now();
}

}  // namespace fipd
