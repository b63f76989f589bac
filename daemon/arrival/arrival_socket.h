#pragma once

#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/arrival/arrival_message.h"
#include "daemon/base/result.h"

namespace fipd::arrival {

// What is heard on one interface: a packet socket whose filter in the kernel passes ARP, RARP and
// neighbour advertisements only. An instance that shouts is listened to 64 packets at a time, with
// a pause between; the rest is the kernel's to drop. Needs CAP_NET_RAW. On the executor's one
// thread; close() before whoever is called goes.
class ArrivalSocket : public std::enable_shared_from_this<ArrivalSocket> {
 public:
  using OnHeard = std::function<void(const Heard&)>;

  [[nodiscard]] static Result<std::shared_ptr<ArrivalSocket>> open(
      const boost::asio::any_io_executor& executor, unsigned interface, OnHeard on_heard);
  void close();

 private:
  ArrivalSocket(const boost::asio::any_io_executor& executor, int fd, OnHeard on_heard);
  void wait();
  void read();
  void pause();

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  OnHeard on_heard_;
};

}  // namespace fipd::arrival
