#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/address.h"
#include "daemon/health/echo_message.h"
#include "daemon/health/prober.h"

namespace fipd::health {

// ICMP echoes of one family over one socket, opened with the first and again after an error. An
// answer counts only from whom was asked, with the token it was asked with. On the executor's one
// thread; close() before the last of its users goes.
class EchoSocket : public std::enable_shared_from_this<EchoSocket> {
 public:
  EchoSocket(const boost::asio::any_io_executor& executor, int family);

  void ask(const IpAddress& address, std::chrono::milliseconds timeout, Prober::Done done);
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    IpAddress address;
    Clock::time_point deadline;
    std::chrono::milliseconds timeout{};
    Prober::Done done;
  };

  // Empty where it is open.
  [[nodiscard]] std::string open();
  [[nodiscard]] ProbeResult send(const IpAddress& address, std::uint64_t number);
  void wait_for_answers();
  void read_answers();
  void arm();
  void ring();
  void finish(std::uint64_t number, ProbeResult result);

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  const int family_;
  bool raw_ = false;
  bool armed_ = false;
  bool closed_ = false;
  EchoToken next_;
  // By number, which is by time too. Timeouts may differ after a reload: then one rings late.
  std::map<std::uint64_t, Asked> asked_;
};

}  // namespace fipd::health
