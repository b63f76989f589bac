#include "daemon/health/health_checks.h"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

namespace fipd::health {
namespace {

// Started in one go before others have their turn on the event loop: about a millisecond.
constexpr std::size_t kSlice = 64;

CheckBook::Dice make_dice() {
  return [engine = std::minstd_rand(std::random_device()()),
          side = std::uniform_real_distribution<double>()]() mutable { return side(engine); };
}

}  // namespace

HealthChecks::HealthChecks(boost::asio::any_io_executor executor, Prober& prober, EventHub& events,
                           CheckRules rules, std::size_t most_at_a_time)
    : executor_(executor),
      prober_(prober),
      events_(events),
      book_(rules, make_dice()),
      most_at_a_time_(most_at_a_time),
      wake_(executor) {}

boost::asio::awaitable<void> HealthChecks::run() {
  for (;;) {
    hand_on();
    std::size_t started = 0;
    while (started < kSlice && start_one(Clock::now())) ++started;
    if (started == kSlice) {
      co_await boost::asio::post(executor_, boost::asio::use_awaitable);
      continue;
    }
    const auto due = book_.next_due();
    const bool full = under_way_ >= most_at_a_time_;
    Clock::time_point until = Clock::time_point::max();
    if (due && !full) until = *due;
    co_await wake_.wait(until);
  }
}

bool HealthChecks::start_one(Clock::time_point now) {
  if (under_way_ >= most_at_a_time_) return false;
  const auto probe = book_.start(now);
  if (!probe) return false;
  ++under_way_;
  ++probes_;
  prober_.probe(probe->target, book_.rules().timeout,
                [this, probe = *probe](const ProbeResult& result) { finish(probe, result); });
  return true;
}

void HealthChecks::finish(const CheckBook::Probe& probe, const ProbeResult& result) {
  const bool was_full = under_way_ == most_at_a_time_;
  --under_way_;
  if (result.kind == ProbeResult::Kind::kFailed) ++failures_;
  const auto before = book_.next_due();
  book_.finish(probe, result, Clock::now());
  hand_on();
  const auto after = book_.next_due();
  if (was_full || (after && (!before || *after < *before))) wake_.notify_all();
}

void HealthChecks::want(const IpAddress& floating, const CheckTarget& target) {
  if (book_.want(floating, target, Clock::now())) wake_.notify_all();
}

// What that brings to light (the brake may end) is told from run(), never from within this call.
void HealthChecks::forget(const IpAddress& floating) {
  book_.forget(floating);
  wake_.notify_all();
}

void HealthChecks::configure(const CheckRules& rules) {
  book_.set_rules(rules, Clock::now());
  wake_.notify_all();
}

void HealthChecks::hand_on() {
  const std::vector<CheckChange> changes = book_.take_changes();
  for (const CheckChange& change : changes) {
    if (changed_) changed_(change);
  }
  if (braked_ != book_.braking()) {
    braked_ = book_.braking();
    const std::string text =
        braked_ ? fmt::format(
                      "{} of {} checks fail at once: the check is suspected, not the "
                      "instances; nothing more is withdrawn",
                      book_.suspects(), book_.known())
                : fmt::format("{} of {} checks fail: checks are believed again", book_.suspects(),
                              book_.size());
    spdlog::warn("health: {}", text);
    events_.publish("health", std::nullopt, text);
  }
  if (impossible_ != book_.impossible()) {
    impossible_ = book_.impossible();
    if (!impossible_.empty()) spdlog::error("health: {}", impossible_);
  }
}

HealthReport HealthChecks::report() const {
  HealthReport report;
  report.checks = book_.size();
  report.failing = book_.failing();
  report.held = book_.held();
  report.probes = probes_;
  report.probes_failed = failures_;
  report.braking = book_.braking();
  if (report.braking) {
    report.problems.push_back(
        fmt::format("{} of {} checks fail at once: the check is suspected, not the instances; "
                    "nothing more is withdrawn",
                    book_.suspects(), book_.known()));
  }
  if (!book_.impossible().empty()) report.problems.push_back(book_.impossible());
  return report;
}

}  // namespace fipd::health
