// All that the sessions have, in bulk: asked after changes and by a slow timer.
#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "daemon/announcements.h"

namespace fipd {
namespace {

// More are told in one sentence.
constexpr std::size_t kMostTold = 100;
// Of many addresses, before others have their turn on the event loop: a millisecond at most.
constexpr std::size_t kSlice = 1000;
// BIRD answers a refresh for one part of the time at most in so many.
constexpr int kRestOfRefresh = 20;

}  // namespace

void Announcements::want(Clock::time_point when) {
  if (when >= due_) return;
  due_ = when;
  wanted_.notify_all();
}

Announcements::Clock::time_point Announcements::next_refresh() const {
  if (due_ == Clock::time_point::max() || refreshed_ == Clock::time_point()) return due_;
  const Clock::duration rest = std::min<Clock::duration>(took_ * kRestOfRefresh, times_.every);
  Clock::time_point next = std::max(due_, refreshed_ + rest);
  if (routes_.count() > times_.crowd) next = std::max(next, refreshed_ + times_.crowd_pause);
  return next;
}

boost::asio::awaitable<void> Announcements::run_refreshes() {
  for (;;) {
    const Clock::time_point next = next_refresh();
    if (Clock::now() < next) {
      co_await wanted_.wait(next);
      continue;
    }
    if (nothing_changed()) {
      due_ = Clock::now() + times_.every;
      continue;
    }
    co_await refresh();
  }
}

// What BIRD has counted of accepted changes. Of `imports`: what sessions have brought; else what
// the kernel protocols have, and what sessions were told.
std::uint64_t Announcements::traffic(bool imports) const {
  std::uint64_t sum = bird_changes_;
  const auto add = [&sum](std::uint64_t count) { sum = sum * 1'000'003 + count; };
  for (const bgp::BirdSession& session : layout_.sessions()) {
    for (const bgp::BirdChannel& channel : session.channels) {
      add(imports ? channel.imports : channel.exports);
    }
  }
  if (imports) return sum;
  for (const bgp::BirdProtocol& kernel : layout_.kernels()) {
    for (const bgp::BirdChannel& channel : kernel.channels) add(channel.imports);
  }
  return sum;
}

bool Announcements::nothing_changed() const {
  const bool counted = !layout_.sessions().empty() && !layout_.sessions().front().channels.empty();
  return counted && refresh_problem_.empty() && changes_ == changes_seen_ &&
         traffic(false) == exports_seen_ && traffic(true) == imports_seen_ && unlearned_.empty() &&
         !too_fresh_ && Clock::now() < thorough_ + times_.thorough;
}

boost::asio::awaitable<void> Announcements::refresh() {
  const Clock::time_point started = Clock::now();
  const std::uint64_t bird_changes = bird_changes_;
  const std::uint64_t changes = changes_;
  const std::uint64_t exports_before = traffic(false);
  // A change of the last moment may not have reached BIRD yet.
  due_ = Clock::time_point::max();
  if (changed_ + times_.settle > Clock::now()) due_ = changed_ + times_.settle;
  round_.emplace();
  round_->exports.reserve(established_.empty() ? 0 : routes_.count());
  Outcome asked = co_await ask_sessions();
  co_await find_withdrawn();
  Round round = std::move(*round_);
  round_.reset();
  ++counters_.refreshes;
  refreshed_ = Clock::now();
  took_ = refreshed_ - started;
  // A session came, went or restarted meanwhile: bird_changed() wants another refresh already.
  if (bird_changes != bird_changes_) co_return;
  if (asked) {
    exports_ = std::move(round.exports);
    told_ = std::move(round.seen);
    tell(round.announced, round.withdrawn);
    if (snapshot_.connected) asked = co_await survey();
    if (asked && snapshot_.connected) asked = co_await look_for_others();
  } else {
    exports_.clear();
  }
  if (!snapshot_.connected) findings_ = Findings();
  refreshed_ = Clock::now();
  // A BIRD that did not answer needs no rest.
  took_ = asked ? refreshed_ - started : Clock::duration();
  counters_.refresh_seconds = std::chrono::duration<double>(refreshed_ - started).count();
  const std::string problem = asked ? "" : asked.error().message();
  if (problem != refresh_problem_ && !problem.empty()) spdlog::warn("BIRD: {}", problem);
  refresh_problem_ = problem;
  if (!asked) {
    want(refreshed_ + times_.retry);
    co_return;
  }
  changes_seen_ = changes;
  exports_seen_ = exports_before;
  thorough_ = refreshed_;
  if (too_fresh_) want(refreshed_ + times_.settle);
  co_await nudge();
  if (snapshot_.connected && routes_.count() > 0) want(refreshed_ + times_.every);
}

boost::asio::awaitable<Outcome> Announcements::ask_sessions() {
  const std::vector<bgp::BirdSession> sessions = established_;
  if (routes_.count() == 0) co_return success();
  for (const bgp::BirdSession& session : sessions) {
    Result<std::vector<IpAddress>> addresses = co_await client_.exported(session.name);
    if (!addresses) co_return fail(std::move(addresses).error());
    co_await take(session.name, std::move(*addresses));
  }
  co_return success();
}

boost::asio::awaitable<void> Announcements::take(std::string session,
                                                 std::vector<IpAddress> addresses) {
  const Clock::time_point now = Clock::now();
  const std::size_t number = round_->exports.session(session);
  std::size_t done = 0;
  for (const IpAddress& floating : addresses) {
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    if (!routes_.routed(floating)) continue;
    round_->exports.add(number, floating);
    const bool fresh = round_->seen.insert(floating).second;
    if (fresh && !told_.contains(floating)) round_->announced.note(floating);
    const auto pending = pending_.find(floating);
    if (pending == pending_.end()) continue;
    counters_.announce.note(now - pending->second);
    pending_.erase(pending);
  }
}

boost::asio::awaitable<void> Announcements::find_withdrawn() {
  std::size_t done = 0;
  for (const IpAddress& floating : told_) {  // nobody else touches it during a round
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    if (!round_->seen.contains(floating)) round_->withdrawn.note(floating);
  }
}

void Announcements::Changed::note(const IpAddress& floating) {
  if (++count <= kMostTold) first.push_back(floating);
}

void Announcements::tell(const Changed& announced, const Changed& withdrawn) {
  const std::size_t count = announced.count + withdrawn.count;
  if (count == 0) return;
  const std::string sum =
      fmt::format("{} floating IP(s) announced, {} withdrawn", announced.count, withdrawn.count);
  spdlog::info("BIRD: {}", sum);
  if (count > kMostTold) {
    events_.publish(announced.count > 0 ? "announced" : "withdrawn", std::nullopt, sum);
    return;
  }
  for (const IpAddress& floating : announced.first) {
    const std::string names = fmt::format("{}", fmt::join(exports_.having(floating), ", "));
    events_.publish("announced", floating, fmt::format("announced {} to {}", floating, names));
  }
  for (const IpAddress& floating : withdrawn.first) {
    const std::string why =
        routes_.routed(floating) ? of(floating).reason : std::string("its route is gone");
    events_.publish("withdrawn", floating, fmt::format("withdrawn {}: {}", floating, why));
  }
}

}  // namespace fipd
