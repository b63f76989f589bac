#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/base/signal.h"
#include "daemon/observe/events.h"
#include "daemon/traffic_step.h"

namespace fipd {

struct MeterOptions {
  bool guard = true;
  bool accounting = false;
  std::chrono::milliseconds period{10000};  // between readings that nobody asks for, and events
  std::chrono::milliseconds fresh{1000};    // what is younger is not read again
};

// Reads the kernel's counters in bulk, every period and when somebody wants them fresh, and keeps
// what they said. `table` is its own (nobody else's reads and writes wait for it), used
// on a thread of its own. A reading that fails leaves the one before, and is told by problem(). On
// the event loop's thread.
class TrafficMeter {
 public:
  using Reading = std::shared_ptr<const std::vector<nat::Traffic>>;  // sorted by address

  TrafficMeter(boost::asio::any_io_executor executor, nat::NatTable& table, MeterOptions options,
               EventHub& events);

  boost::asio::awaitable<void> run();
  void configure(MeterOptions options);
  // Called with each reading of the floating IPs' counters.
  void on_read(std::function<void(Reading)> call) { on_read_ = std::move(call); }

  // Returns when the last reading is fresh; at once where nothing is counted, after
  // 5 s in any case.
  boost::asio::awaitable<void> refresh();

  [[nodiscard]] std::optional<Traffic> find(const IpAddress& floating) const;
  [[nodiscard]] std::optional<GuardReport> guard() const;
  // With a series for each floating IP where they are at most `most_series`.
  [[nodiscard]] std::optional<AccountingReport> accounting(std::size_t most_series) const;
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Counted {
    Error problem{ErrorCode::kInternal, ""};  // empty: none
    Reading reading;                          // null: not read
    nat::Counter untranslated;
    Traffic growth;
    std::vector<TrafficStep::Busy> busiest;  // since `told`
  };

  [[nodiscard]] bool is_on() const { return options_.guard || options_.accounting; }
  [[nodiscard]] static Counted count(nat::NatTable& table, MeterOptions options,
                                     const Reading& before, const Reading& told);
  boost::asio::awaitable<void> read();
  void take(Counted counted, MeterOptions options);
  void tell(const Counted& counted);

  nat::NatTable& table_;
  MeterOptions options_;
  EventHub& events_;
  std::function<void(Reading)> on_read_;

  Reading reading_ = std::make_shared<const std::vector<nat::Traffic>>();
  // With which the next events are compared: somebody who looks every second must not make ten
  // times the events.
  Reading told_ = reading_;
  Signal::Clock::time_point told_at_;
  // What was counted before the daemon began belongs to no total of its.
  bool counted_before_ = true;
  Traffic total_;
  nat::Counter untranslated_;
  std::string problem_;

  bool wanted_ = false;
  Signal wake_;
  Signal read_;
  Signal::Clock::time_point read_at_;
  Background thread_;
};

}  // namespace fipd
