#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/control/reply.h"
#include "daemon/control/service.h"

namespace fipd::control {

// {"floating_ips": [...]} of any size, in pieces of about 32 KiB: about a millisecond of the event
// loop each, and no more memory than that.
class ListingSource : public BodySource {
 public:
  ListingSource(Service& service, std::vector<IpAddress> addresses, bool counters)
      : service_(service), addresses_(std::move(addresses)), counters_(counters) {}
  boost::asio::awaitable<std::string> next() override;

 private:
  [[nodiscard]] std::string next_piece();
  void append(const FloatingIpReport& row, std::string& piece);

  Service& service_;
  std::vector<IpAddress> addresses_;
  bool counters_;
  std::size_t at_ = 0;
  bool first_row_ = true;
  bool begun_ = false;
  bool ended_ = false;
};

// Events as they happen, one JSON a line. Holds at most `limit` bytes that the client has not
// taken; then it is cut off, because a gap in the stream would go unnoticed.
class EventSource : public BodySource {
 public:
  EventSource(const boost::asio::any_io_executor& executor, EventHub& hub, std::size_t limit);
  boost::asio::awaitable<std::string> next() override;
  void cancel() override;
  [[nodiscard]] bool endless() const override { return true; }
  void on_overflow(std::function<void()> cut_off) override { cut_off_ = std::move(cut_off); }

 private:
  void take(const Event& event);

  boost::asio::steady_timer wake_;
  std::size_t limit_;
  std::string waiting_;
  std::size_t unsent_ = 0;  // waiting_, and what next() gave last
  bool ended_ = false;
  std::function<void()> cut_off_;
  EventHub::Subscription subscription_;
};

}  // namespace fipd::control
