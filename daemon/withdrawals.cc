#include "daemon/withdrawals.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fipd {
namespace {

// Up to so many are asked for one by one: BIRD answers each in some 50 us.
constexpr std::size_t kFew = 32;
// BIRD hears of the route's end by netlink, and its peers by the next UPDATE; asked at once it
// would still say yes.
constexpr std::chrono::milliseconds kBetweenLooks{50};
// A bulk answer of 100,000 routes occupies BIRD for some 30 ms: it shall do other things most of
// the time.
constexpr int kRestOfBulk = 4;
// Of many addresses, before others have their turn on the event loop: a millisecond at most.
constexpr std::size_t kSlice = 1000;

}  // namespace

Withdrawals::Withdrawals(boost::asio::any_io_executor executor, bgp::BirdClient& client,
                         Unknown unknown)
    : executor_(executor), client_(client), unknown_(std::move(unknown)), arrived_(executor) {}

void Withdrawals::follow(const IpAddress& address, std::chrono::milliseconds linger) {
  const Clock::time_point now = Clock::now();
  followed_[address] = Followed{now, now + linger};
  arrived_.notify_all();
}

boost::asio::awaitable<void> Withdrawals::run() {
  boost::asio::steady_timer timer(executor_);
  for (;;) {
    if (followed_.empty()) {
      co_await arrived_.wait();
      continue;
    }
    timer.expires_after(kBetweenLooks);
    co_await timer.async_wait(boost::asio::use_awaitable);
    const Clock::time_point started = Clock::now();
    if (followed_.size() <= kFew) {
      co_await look_one_by_one();
    } else {
      co_await look_in_bulk();
      timer.expires_after((Clock::now() - started) * kRestOfBulk);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    give_up_what_is_late();
  }
}

void Withdrawals::give_up_what_is_late() {
  const Clock::time_point now = Clock::now();
  boost::unordered::erase_if(followed_,
                             [now](const auto& entry) { return now >= entry.second.until; });
}

// No session has it, and none is down that had it.
void Withdrawals::release(const IpAddress& address) {
  const auto at = followed_.find(address);
  // Else followed anew since: it was bound and removed again meanwhile.
  if (at == followed_.end() || !at->second.looked_at) return;
  const Clock::time_point now = Clock::now();
  const Clock::duration took = now - at->second.since;
  const bool late = now >= at->second.until;
  followed_.erase(at);
  if (!late && released_) released_(address, took);
}

boost::asio::awaitable<void> Withdrawals::look_one_by_one() {
  std::vector<IpAddress> round;
  for (auto& [address, followed] : followed_) {
    followed.looked_at = true;
    round.push_back(address);
  }
  std::vector<IpAddress> gone;
  for (const IpAddress& address : round) {
    const Result<std::vector<std::string>> sessions = co_await client_.exported_by(address);
    if (sessions && sessions->empty()) gone.push_back(address);
  }
  if (gone.empty()) co_return;
  // After the questions: a session that has just fallen has nothing exported, and its peer may have
  // it for long.
  const Result<bgp::BirdSnapshot> now = co_await client_.look();
  if (!now || unknown_(*now)) co_return;
  for (const IpAddress& address : gone) release(address);
}

boost::asio::awaitable<void> Withdrawals::look_in_bulk() {
  // Those that come while BIRD is asked are the next look's.
  std::vector<IpAddress> round;
  for (auto& [address, followed] : followed_) {
    followed.exported = false;
    followed.looked_at = true;
    round.push_back(address);
  }
  // Asked now: a session may have come up since the last look at them.
  const Result<bgp::BirdSnapshot> seen = co_await client_.look();
  if (!seen || unknown_(*seen)) co_return;
  for (const bgp::BirdSession& session : seen->sessions) {
    if (!session.established()) continue;
    const Result<std::vector<IpAddress>> exported = co_await client_.exported(session.name);
    if (!exported) co_return;
    std::size_t done = 0;
    for (const IpAddress& address : *exported) {
      if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
      const auto at = followed_.find(address);
      if (at != followed_.end()) at->second.exported = true;
    }
  }
  std::size_t done = 0;
  for (const IpAddress& address : round) {
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    const auto at = followed_.find(address);
    if (at != followed_.end() && !at->second.exported) release(address);
  }
}

}  // namespace fipd
