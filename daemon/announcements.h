#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bgp/bird_client.h"
#include "bgp/bird_watch.h"
#include "daemon/base/address.h"
#include "daemon/base/signal.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"

namespace fipd {

// What BIRD told its peers of our addresses, as far as somebody asked: for `fipctl show`, `--wait`,
// and the end of a withdrawal. One thread.
class Announcements final : public bgp::BirdObserver {
 public:
  Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client, EventHub& events);

  // Asks BIRD now, and remembers the answer.
  boost::asio::awaitable<Result<std::vector<std::string>>> ask(IpAddress floating);
  // What was last seen; forgotten with any change of a session, and of the address.
  [[nodiscard]] const std::vector<std::string>& last(const IpAddress& floating) const;
  void forget(const IpAddress& floating) { seen_.erase(floating); }

  // Asks about a withdrawn address until no session has it, then calls `released`. Gives up after
  // `linger`, and where BIRD does not answer: then the linger time rules.
  void follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger);
  void on_released(std::function<void(const IpAddress&)> call) { released_ = std::move(call); }
  boost::asio::awaitable<void> run();

  void bird_changed(const bgp::BirdSnapshot& snapshot) override;

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::any_io_executor executor_;
  bgp::BirdClient& client_;
  EventHub& events_;
  std::unordered_map<IpAddress, std::vector<std::string>, AddressHash> seen_;
  std::unordered_map<IpAddress, Clock::time_point, AddressHash> withdrawals_;  // until when
  std::function<void(const IpAddress&)> released_;
  Signal arrived_;
  std::string problem_;
};

[[nodiscard]] BirdReport to_report(const bgp::BirdSnapshot& snapshot);

}  // namespace fipd
