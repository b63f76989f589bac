#include "daemon/announcements.h"

#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

namespace fipd {
namespace {

// More are not asked for one by one: a mass removal waits out its linger time.
constexpr std::size_t kMostFollowed = 256;
// BIRD hears of the route's end by netlink, and its peers by the next UPDATE; asked at once it
// would still say yes.
constexpr std::chrono::milliseconds kBetweenLooks{50};

}  // namespace

Announcements::Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client,
                             EventHub& events)
    : executor_(executor), client_(client), events_(events), arrived_(executor) {}

boost::asio::awaitable<Result<std::vector<std::string>>> Announcements::ask(IpAddress floating) {
  Result<std::vector<std::string>> sessions = co_await client_.exported_by(floating);
  if (sessions && !sessions->empty()) {
    seen_[floating] = *sessions;
  } else {
    seen_.erase(floating);
  }
  co_return sessions;
}

const std::vector<std::string>& Announcements::last(const IpAddress& floating) const {
  static const std::vector<std::string> none;
  const auto at = seen_.find(floating);
  return at == seen_.end() ? none : at->second;
}

void Announcements::follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger) {
  forget(floating);
  if (withdrawals_.size() >= kMostFollowed) return;
  withdrawals_[floating] = Clock::now() + linger;
  arrived_.notify_all();
}

boost::asio::awaitable<void> Announcements::run() {
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
      const bool unanswered = !sessions || Clock::now() >= at->second;
      if (!unanswered && !sessions->empty()) continue;
      withdrawals_.erase(at);
      if (!unanswered && released_) released_(floating);
    }
  }
}

void Announcements::bird_changed(const bgp::BirdSnapshot& snapshot) {
  seen_.clear();
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
