#include "daemon/health/check_book.h"

#include <algorithm>
#include <iterator>

namespace fipd::health {

std::string to_string(const CheckTarget& target) {
  if (target.port == 0) return fmt::format("icmp to {}", target.address);
  return fmt::format("tcp/{} to {}", target.port, target.address);
}

void CheckBook::set_rules(const CheckRules& rules, Clock::time_point now) {
  rules_ = rules;
  const auto within = [&](double factor) {
    return now + std::chrono::duration_cast<Clock::duration>(rules_.interval * factor);
  };
  const Clock::time_point latest = within(1.0 + rules_.jitter);
  while (!due_.empty() && due_.rbegin()->first > latest) {
    const auto last = std::prev(due_.end());
    const IpAddress floating = last->second;
    due_.erase(last);
    schedule(floating, checks_.at(floating), within(dice_()));
  }
}

bool CheckBook::want(const IpAddress& floating, const CheckTarget& target, Clock::time_point now) {
  const auto [at, fresh] = checks_.try_emplace(floating);
  Check& check = at->second;
  if (!fresh && check.target == target) return false;
  if (!fresh) {
    forget_counts(floating, check);
    due_.erase({check.due, floating});
    check = Check();
  }
  check.target = target;
  check.ticket = ++tickets_;
  // Soon, and not all of a file's at the same moment.
  schedule(
      floating, check,
      now + std::chrono::duration_cast<Clock::duration>(rules_.interval * rules_.jitter * dice_()));
  look_at_brake();
  return true;
}

void CheckBook::forget(const IpAddress& floating) {
  const auto at = checks_.find(floating);
  if (at == checks_.end()) return;
  forget_counts(floating, at->second);
  due_.erase({at->second.due, floating});
  checks_.erase(at);
  look_at_brake();
}

void CheckBook::forget_counts(const IpAddress& floating, const Check& check) {
  if (check.asked) --known_;
  if (check.asked && !check.answered) --suspects_;
  if (check.health == Health::kFailing) --failing_;
  held_.erase(floating);
}

void CheckBook::schedule(const IpAddress& floating, Check& check, Clock::time_point due) {
  check.due = due;
  check.under_way = false;
  due_.emplace(due, floating);
}

std::optional<CheckBook::Clock::time_point> CheckBook::next_due() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

std::optional<CheckBook::Probe> CheckBook::start(Clock::time_point now) {
  if (due_.empty() || due_.begin()->first > now) return std::nullopt;
  const IpAddress floating = due_.begin()->second;
  due_.erase(due_.begin());
  Check& check = checks_.at(floating);
  check.under_way = true;
  check.braked = braking_;
  check.due = now;
  return Probe{floating, check.target, check.ticket};
}

void CheckBook::finish(const Probe& probe, const ProbeResult& result, Clock::time_point now) {
  const auto at = checks_.find(probe.floating);
  if (at == checks_.end() || at->second.ticket != probe.ticket || !at->second.under_way) return;
  Check& check = at->second;
  // From the time it was asked, so that a slow answer does not shift the beat; but never a backlog.
  const double factor = 1.0 + rules_.jitter * (2.0 * dice_() - 1.0);
  const auto pause = std::chrono::duration_cast<Clock::duration>(rules_.interval * factor);
  schedule(probe.floating, check, std::max(check.due + pause, now));
  if (result.kind == ProbeResult::Kind::kImpossible) {
    impossible_ = result.problem;
    return;
  }
  impossible_.clear();
  note(probe.floating, check, result);
}

void CheckBook::note(const IpAddress& floating, Check& check, const ProbeResult& result) {
  const bool answered = result.kind == ProbeResult::Kind::kAnswered;
  if (!check.asked) ++known_;
  const bool was_suspect = check.asked && !check.answered;
  if (was_suspect && answered) --suspects_;
  if (!was_suspect && !answered) ++suspects_;
  check.streak = check.asked && check.answered == answered ? check.streak + 1 : 1;
  check.asked = true;
  check.answered = answered;
  check.problem = result.problem;
  look_at_brake();
  check.braked = check.braked || braking_;
  if (answered && check.health != Health::kPassing && check.streak >= rules_.rise) {
    set_passing(floating, check);
  } else if (!answered && check.health != Health::kFailing && check.streak >= rules_.fall) {
    set_failing(floating, check);
  } else if (!answered && !check.braked && check.streak >= rules_.fall &&
             held_.erase(floating) > 0) {
    changes_.push_back(failure_of(floating, check));
  }
}

void CheckBook::set_passing(const IpAddress& floating, Check& check) {
  if (check.health == Health::kFailing) --failing_;
  check.health = Health::kPassing;
  held_.erase(floating);
  changes_.push_back({floating, false, ""});
}

void CheckBook::set_failing(const IpAddress& floating, Check& check) {
  check.health = Health::kFailing;
  ++failing_;
  if (check.braked) {
    held_.insert(floating);
  } else {
    changes_.push_back(failure_of(floating, check));
  }
}

CheckChange CheckBook::failure_of(const IpAddress& floating, const Check& check) const {
  return {floating, true,
          fmt::format("its check {} fails: {}", to_string(check.target), check.problem)};
}

// Counted are those whose last probe failed, not those that have failed long enough: whatever
// befalls all of them together is seen before the first of them is withdrawn. At the end of the
// brake nobody is told: what is held may not have been asked since the fault was mended.
void CheckBook::look_at_brake() {
  const double share = rules_.brake_share * static_cast<double>(known_);
  braking_ = suspects_ > rules_.brake_above && static_cast<double>(suspects_) > share;
}

}  // namespace fipd::health
