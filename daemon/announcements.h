#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bgp/bird_client.h"
#include "bgp/bird_watch.h"
#include "daemon/base/address.h"
#include "daemon/base/signal.h"
#include "daemon/exports.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"
#include "daemon/state/address_set.h"

namespace fipd {

// Of what BIRD exports, only what these say is ours counts.
struct OurRoutes {
  std::function<bool(const IpAddress&)> routed;
  std::function<std::size_t()> count;
};

struct RefreshTimes {
  std::chrono::milliseconds settle{200};  // BIRD learns of a route by netlink
  std::chrono::milliseconds every{10'000};
  std::chrono::milliseconds retry{1000};  // after a refresh that failed
  std::size_t crowd = 20'000;             // with more routes than these, a pause between refreshes
  std::chrono::milliseconds crowd_pause{5000};
};

// What BIRD tells its peers of our addresses: all of it, as of the last refresh in bulk, and of one
// address, asked just now. What is not known is taken for not announced. One thread.
class Announcements final : public bgp::BirdObserver {
 public:
  Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client, EventHub& events,
                OurRoutes routes, RefreshTimes times = {});

  // Asks BIRD now, and remembers the answer.
  boost::asio::awaitable<Result<std::vector<std::string>>> ask(IpAddress floating);
  // The sessions that were last seen to have it.
  [[nodiscard]] std::vector<std::string> last(const IpAddress& floating) const {
    return exports_.having(floating);
  }
  // How many of our addresses at least one session has.
  [[nodiscard]] std::size_t announced() const { return exports_.size(); }
  // Why a routed address that no session has is not announced, in a sentence.
  [[nodiscard]] std::string why_not() const;
  void forget(const IpAddress& floating);

  // Routes were written, or adopted: refreshes when BIRD has had the time to learn them.
  void routes_changed();
  void bird_changed(const bgp::BirdSnapshot& snapshot) override;
  // Refreshes, one at a time, for ever.
  boost::asio::awaitable<void> run_refreshes();

  // Asks about a withdrawn address until no session has it, then calls `released`. Gives up after
  // `linger`, and where BIRD does not answer: then the linger time rules.
  void follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger);
  void on_released(std::function<void(const IpAddress&)> call) { released_ = std::move(call); }
  boost::asio::awaitable<void> run_withdrawals();

 private:
  using Clock = std::chrono::steady_clock;
  struct Changed {
    std::vector<IpAddress> first;  // as many as are told one by one
    std::size_t count = 0;
    void note(const IpAddress& floating);
  };
  // A refresh under way, which an answer to ask() must reach, too.
  struct Round {
    Exports exports;
    AddressHashSet seen;
    Changed announced;
    Changed withdrawn;
  };

  void want(Clock::time_point when);
  [[nodiscard]] Clock::time_point next_refresh() const;
  boost::asio::awaitable<void> refresh();
  boost::asio::awaitable<Outcome> ask_sessions();
  boost::asio::awaitable<void> take(std::string session, std::vector<IpAddress> addresses);
  boost::asio::awaitable<void> find_withdrawn();
  void tell(const Changed& announced, const Changed& withdrawn);

  boost::asio::any_io_executor executor_;
  bgp::BirdClient& client_;
  EventHub& events_;
  OurRoutes routes_;
  RefreshTimes times_;

  Exports exports_;
  std::optional<Round> round_;
  AddressHashSet told_;  // what the last refresh saw: the next one's events are the difference
  bool all_established_ = false;
  bool connected_ = false;
  std::vector<bgp::BirdSession> established_;
  std::uint64_t bird_changes_ = 0;
  std::string problem_;
  std::string refresh_problem_;
  Clock::time_point due_ = Clock::time_point::max();
  Clock::time_point changed_;
  Clock::time_point refreshed_;
  Signal wanted_;

  std::unordered_map<IpAddress, Clock::time_point, AddressHash> withdrawals_;  // until when
  std::function<void(const IpAddress&)> released_;
  Signal arrived_;
};

[[nodiscard]] BirdReport to_report(const bgp::BirdSnapshot& snapshot);

}  // namespace fipd
