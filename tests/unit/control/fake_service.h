#pragma once

#include <map>
#include <set>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/control/service.h"
#include "daemon/observe/refused_words.h"

namespace fipd {

// A daemon without a kernel: keeps bindings in a map and calls every one announced by both of its
// sessions, but those in 192.0.2.0/24, which never get beyond "translated".
class FakeService final : public Service {
 public:
  FakeService();

  StatusReport status() override;
  boost::asio::awaitable<std::vector<IpAddress>> addresses() override;
  std::vector<FloatingIpReport> rows(const IpAddress& floating) override;
  std::vector<FloatingIpReport> nameless_rows() override;
  boost::asio::awaitable<std::vector<FloatingIpReport>> inspect(IpAddress floating) override;
  boost::asio::awaitable<void> read_counters() override;
  std::optional<Traffic> traffic(const IpAddress& floating) override;
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> change(ChangeRequest request) override;
  boost::asio::awaitable<tl::expected<PreviewReport, ChangeFailure>> preview(
      ChangeRequest request) override;
  boost::asio::awaitable<Outcome> wait(std::vector<IpAddress> floatings, WaitFor what,
                                       std::chrono::milliseconds timeout) override;
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> drain(DrainRequest request,
                                                                  bool drained) override;
  boost::asio::awaitable<DrainReport> drain_report(bool with_connections) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> reload() override;
  boost::asio::awaitable<Result<std::size_t>> accept(std::string source) override;
  EventHub& events() override { return hub_; }

  bool healthy = true;
  std::optional<Error> refuse_changes;  // what change() answers
  std::size_t changes = 0;              // requests that came as far as here
  std::size_t counter_reads = 0;
  std::vector<RefusedWord> cannot_take;  // sorted

  // `count` bindings from 10.0.0.0 on.
  void fill(std::size_t count);

 private:
  [[nodiscard]] std::vector<FloatingIpReport> claimed_rows(const IpAddress& floating) const;
  [[nodiscard]] std::optional<ChangeFailure> objection(const ChangeRequest& request) const;
  // Turns edited forwards into a binding to put.
  [[nodiscard]] std::optional<ChangeFailure> resolve(ChangeRequest& request) const;

  std::map<IpAddress, Binding> bindings_;
  bool host_drained_ = false;
  std::set<IpAddress> drained_;
  std::size_t drain_looks_ = 0;  // the peers have it at the fourth look
  EventHub hub_;
};

}  // namespace fipd
