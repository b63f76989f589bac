#include "bgp/bird_watch.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd::bgp {

namespace asio = boost::asio;

namespace {

// A session that fails again and again says something new each time; that alone is no change.
bool tells_the_same(const BirdProtocol& a, const BirdProtocol& b) {
  return a.name == b.name && a.state == b.state && a.since == b.since &&
         a.established() == b.established();
}

bool tells_the_same(const BirdSnapshot& a, const BirdSnapshot& b) {
  const auto same = [](const std::vector<BirdProtocol>& these,
                       const std::vector<BirdProtocol>& those) {
    return std::equal(
        these.begin(), these.end(), those.begin(), those.end(),
        [](const BirdProtocol& x, const BirdProtocol& y) { return tells_the_same(x, y); });
  };
  return a.connected == b.connected && a.version == b.version && a.problem == b.problem &&
         same(a.sessions, b.sessions) && same(a.others, b.others);
}

}  // namespace

struct BirdWatch::Rounds {
  Rounds(const asio::any_io_executor& executor, BirdClient& asked, BirdObserver& told,
         std::chrono::milliseconds pause)
      : client(&asked), observer(&told), interval(pause), timer(executor) {}

  static asio::awaitable<void> run(std::shared_ptr<Rounds> self) {
    while (!self->stopped) {
      Result<BirdSnapshot> seen = co_await self->client->look();
      if (self->stopped) break;
      BirdSnapshot now;
      if (seen) {
        now = std::move(*seen);
      } else {
        now.problem = seen.error().message();
      }
      self->note(std::move(now));
      if (self->stopped) break;
      self->timer.expires_after(self->interval);
      boost::system::error_code ignored;
      co_await self->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
  }

  void note(BirdSnapshot now) {
    const bool changed = !tells_the_same(snapshot, now);
    snapshot = std::move(now);
    if (changed) observer->bird_changed(snapshot);
    observer->bird_seen(snapshot);
  }

  BirdClient* client;
  BirdObserver* observer;
  std::chrono::milliseconds interval;
  asio::steady_timer timer;
  BirdSnapshot snapshot;
  bool stopped = false;
};

BirdWatch::BirdWatch(asio::any_io_executor executor, BirdClient& client, BirdObserver& observer,
                     std::chrono::milliseconds interval)
    : rounds_(std::make_shared<Rounds>(executor, client, observer, interval)) {}

BirdWatch::~BirdWatch() {
  rounds_->stopped = true;
  rounds_->timer.cancel();
}

void BirdWatch::start() {
  const auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  asio::co_spawn(rounds_->timer.get_executor(), Rounds::run(rounds_), rethrow);
}

void BirdWatch::set_interval(std::chrono::milliseconds interval) { rounds_->interval = interval; }

const BirdSnapshot& BirdWatch::snapshot() const { return rounds_->snapshot; }

}  // namespace fipd::bgp
