#pragma once

#include <chrono>
#include <list>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {

// Coroutines wait until something is said; all are woken, and each looks for himself whether it is
// what he waited for. Nothing is remembered: look first, then wait. One thread; must outlive its
// waiters.
class Signal {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Signal(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void notify_all() {
    for (boost::asio::steady_timer* waiter : waiters_) waiter->cancel();
  }

  // Returns at a notification, at the deadline, or when the waiting coroutine is cancelled (its
  // next co_await then throws).
  boost::asio::awaitable<void> wait(Clock::time_point deadline = Clock::time_point::max()) {
    boost::asio::steady_timer timer(executor_, deadline);
    const Waiting waiting(waiters_, timer);
    boost::system::error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
  }

 private:
  using Waiters = std::list<boost::asio::steady_timer*>;

  // On the list for as long as the coroutine's frame lives.
  class Waiting {
   public:
    Waiting(Waiters& waiters, boost::asio::steady_timer& timer)
        : waiters_(waiters), at_(waiters.insert(waiters.end(), &timer)) {}
    ~Waiting() { waiters_.erase(at_); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    Waiters& waiters_;
    Waiters::iterator at_;
  };

  boost::asio::any_io_executor executor_;
  Waiters waiters_;
};

}  // namespace fipd
