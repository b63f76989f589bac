#include "daemon/announcements.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

namespace fipd {
namespace {

// More are not asked for one by one: a mass removal waits out its linger time.
constexpr std::size_t kMostFollowed = 256;
// BIRD hears of the route's end by netlink, and its peers by the next UPDATE; asked at once it
// would still say yes.
constexpr std::chrono::milliseconds kBetweenLooks{50};
// More are told in one sentence.
constexpr std::size_t kMostTold = 100;
// Of many addresses, before others have their turn on the event loop: a millisecond at most.
constexpr std::size_t kSlice = 1000;

}  // namespace

Announcements::Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client,
                             EventHub& events, OurRoutes routes, RefreshTimes times)
    : executor_(executor),
      client_(client),
      events_(events),
      routes_(std::move(routes)),
      times_(times),
      wanted_(executor),
      arrived_(executor) {}

boost::asio::awaitable<Result<std::vector<std::string>>> Announcements::ask(IpAddress floating) {
  Result<std::vector<std::string>> sessions = co_await client_.exported_by(floating);
  if (sessions && routes_.routed(floating)) {
    exports_.set(floating, *sessions);
    if (round_) round_->exports.set(floating, *sessions);
  } else {
    forget(floating);
  }
  co_return sessions;
}

void Announcements::forget(const IpAddress& floating) {
  exports_.forget(floating);
  if (round_) round_->exports.forget(floating);
}

std::string Announcements::why_not() const {
  if (!client_.problem().empty()) return "BIRD: " + client_.problem();
  if (connected_ && established_.empty()) return "no BGP session is established";
  if (!refresh_problem_.empty()) return "BIRD: " + refresh_problem_;
  return "not announced yet";
}

void Announcements::routes_changed() {
  changed_ = Clock::now();
  want(changed_ + times_.settle);
}

void Announcements::want(Clock::time_point when) {
  if (when >= due_) return;
  due_ = when;
  wanted_.notify_all();
}

Announcements::Clock::time_point Announcements::next_refresh() const {
  if (routes_.count() <= times_.crowd) return due_;
  return std::max(due_, refreshed_ + times_.crowd_pause);
}

boost::asio::awaitable<void> Announcements::run_refreshes() {
  for (;;) {
    const Clock::time_point next = next_refresh();
    if (Clock::now() < next) {
      co_await wanted_.wait(next);
      continue;
    }
    co_await refresh();
  }
}

boost::asio::awaitable<void> Announcements::refresh() {
  const std::uint64_t changes = bird_changes_;
  // A change of the last moment may not have reached BIRD yet.
  due_ = Clock::time_point::max();
  if (changed_ + times_.settle > Clock::now()) due_ = changed_ + times_.settle;
  round_.emplace();
  round_->exports.reserve(established_.empty() ? 0 : routes_.count());
  const Outcome asked = co_await ask_sessions();
  co_await find_withdrawn();
  Round round = std::move(*round_);
  round_.reset();
  refreshed_ = Clock::now();
  // A session came, went or restarted meanwhile: bird_changed() wants another refresh already.
  if (changes != bird_changes_) co_return;
  const std::string problem = asked ? "" : asked.error().message();
  if (problem != refresh_problem_ && !problem.empty()) spdlog::warn("BIRD: {}", problem);
  refresh_problem_ = problem;
  if (!asked) {
    exports_.clear();
    want(refreshed_ + times_.retry);
    co_return;
  }
  exports_ = std::move(round.exports);
  told_ = std::move(round.seen);
  tell(round.announced, round.withdrawn);
  if (!established_.empty() && routes_.count() > 0) want(refreshed_ + times_.every);
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
  const std::size_t number = round_->exports.session(session);
  std::size_t done = 0;
  for (const IpAddress& floating : addresses) {
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    if (!routes_.routed(floating)) continue;
    round_->exports.add(number, floating);
    const bool fresh = round_->seen.insert(floating).second;
    if (fresh && !told_.contains(floating)) round_->announced.note(floating);
  }
}

boost::asio::awaitable<void> Announcements::find_withdrawn() {
  std::size_t done = 0;
  for (const IpAddress& floating : told_) {  // nobody else touches it
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
    const std::string names = fmt::format("{}", fmt::join(last(floating), ", "));
    events_.publish("announced", floating, fmt::format("announced {} to {}", floating, names));
  }
  for (const IpAddress& floating : withdrawn.first) {
    const std::string why = routes_.routed(floating) ? why_not() : "its route is gone";
    events_.publish("withdrawn", floating, fmt::format("withdrawn {}: {}", floating, why));
  }
}

void Announcements::bird_changed(const bgp::BirdSnapshot& snapshot) {
  std::vector<bgp::BirdSession> now;
  for (const bgp::BirdSession& session : snapshot.sessions) {
    if (session.established()) now.push_back(session);
  }
  const auto since = [](const std::vector<bgp::BirdSession>& sessions, const std::string& name) {
    const auto at = std::find_if(sessions.begin(), sessions.end(),
                                 [&name](const auto& session) { return session.name == name; });
    return at == sessions.end() ? std::string() : at->since;
  };
  // One that ask() has heard of first stays; one that was made anew begins with nothing.
  exports_.keep([&](const std::string& name) {
    const std::string before = since(established_, name);
    const std::string after = since(now, name);
    return !after.empty() && (before.empty() || before == after);
  });
  all_established_ = now.size() == snapshot.sessions.size();
  established_ = std::move(now);
  connected_ = snapshot.connected;
  ++bird_changes_;
  routes_changed();

  const std::string problem = snapshot.problem;
  if (problem != problem_ && !problem.empty()) spdlog::warn("BIRD: {}", problem);
  if (problem != problem_ && problem.empty()) spdlog::info("BIRD {} answers", snapshot.version);
  problem_ = problem;
  std::string text = snapshot.connected ? fmt::format("BIRD {}", snapshot.version) : "no BIRD";
  for (const bgp::BirdSession& session : snapshot.sessions) {
    text += fmt::format("; {} {} {}", session.name, session.state, session.info);
  }
  if (!problem.empty()) text += "; " + problem;
  events_.publish("bird", std::nullopt, std::move(text));
}

void Announcements::follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger) {
  forget(floating);
  if (withdrawals_.size() >= kMostFollowed) return;
  withdrawals_[floating] = Clock::now() + linger;
  arrived_.notify_all();
}

boost::asio::awaitable<void> Announcements::run_withdrawals() {
  boost::asio::steady_timer timer(executor_);
  for (;;) {
    if (withdrawals_.empty()) {
      co_await arrived_.wait();
      continue;
    }
    timer.expires_after(kBetweenLooks);
    co_await timer.async_wait(boost::asio::use_awaitable);
    std::vector<IpAddress> round;
    for (const auto& [floating, until] : withdrawals_) round.push_back(floating);
    for (const IpAddress& floating : round) {
      const Result<std::vector<std::string>> sessions = co_await client_.exported_by(floating);
      const auto at = withdrawals_.find(floating);
      if (at == withdrawals_.end()) continue;
      // A peer whose session is down may keep our routes for its graceful restart time.
      const bool unknown = !sessions || !all_established_ || Clock::now() >= at->second;
      if (!unknown && !sessions->empty()) continue;
      withdrawals_.erase(at);
      if (!unknown && released_) released_(floating);
    }
  }
}

BirdReport to_report(const bgp::BirdSnapshot& snapshot) {
  BirdReport report;
  report.connected = snapshot.connected;
  report.version = snapshot.version;
  report.problem = snapshot.problem;
  for (const bgp::BirdSession& each : snapshot.sessions) {
    report.sessions.push_back({each.name, each.state, each.info, each.since});
  }
  return report;
}

}  // namespace fipd
