#pragma once

#include <chrono>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/base/address.h"

namespace fipd {

// Looks at an address again at a given time: the end of a linger, the next try after a refusal.
// An alarm that has lost its reason costs one look and does nothing. One thread.
class Alarms {
 public:
  using Clock = std::chrono::steady_clock;
  using OnAlarm = std::function<void(const IpAddress&)>;

  Alarms(const boost::asio::any_io_executor& executor, OnAlarm on_alarm)
      : timer_(executor), on_alarm_(std::move(on_alarm)) {}

  void set(Clock::time_point when, const IpAddress& address) {
    const bool first = queue_.empty() || when < queue_.top().first;
    queue_.emplace(when, address);
    if (first) arm();
  }

 private:
  using Entry = std::pair<Clock::time_point, IpAddress>;

  void arm() {
    timer_.expires_at(queue_.top().first);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) ring();
    });
  }

  void ring() {
    const auto now = Clock::now();
    // A share of what is due at a time: a hundred thousand lingers may end together.
    for (int i = 0; i < 2000 && !queue_.empty() && queue_.top().first <= now; ++i) {
      on_alarm_(queue_.top().second);
      queue_.pop();
    }
    if (!queue_.empty()) arm();
  }

  boost::asio::steady_timer timer_;
  OnAlarm on_alarm_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

}  // namespace fipd
