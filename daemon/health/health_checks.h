#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/signal.h"
#include "daemon/health/check_book.h"
#include "daemon/health/prober.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"

namespace fipd::health {

// Drives all checks: one coroutine starts what is due, so many at a time, and hands on what their
// results come to. A host that cannot keep up asks less often; it never piles up. One thread.
class HealthChecks {
 public:
  HealthChecks(boost::asio::any_io_executor executor, Prober& prober, EventHub& events,
               CheckRules rules, std::size_t most_at_a_time = 512);

  boost::asio::awaitable<void> run();

  void want(const IpAddress& floating, const CheckTarget& target);
  void forget(const IpAddress& floating);
  // Called with what a check has come to.
  void on_change(std::function<void(const CheckChange&)> call) { changed_ = std::move(call); }

  void configure(const CheckRules& rules);
  [[nodiscard]] HealthReport report() const;

 private:
  using Clock = CheckBook::Clock;
  // Whether it started one.
  bool start_one(Clock::time_point now);
  void finish(const CheckBook::Probe& probe, const ProbeResult& result);
  void hand_on();

  boost::asio::any_io_executor executor_;
  Prober& prober_;
  EventHub& events_;
  CheckBook book_;
  const std::size_t most_at_a_time_;
  std::size_t under_way_ = 0;
  bool braked_ = false;  // as last told
  std::string impossible_;
  std::uint64_t probes_ = 0;
  std::uint64_t failures_ = 0;
  std::function<void(const CheckChange&)> changed_;
  Signal wake_;
};

}  // namespace fipd::health
