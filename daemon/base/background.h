#pragma once

#include <type_traits>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {

// One thread for what would block the event loop longer than 10 ms: fsync, big netlink batches, a
// walk of the connection table, parsing megabytes. Work runs in the order it was given; its result
// comes back on the caller's executor. What `work` touches is its own until it returns.
class Background {
 public:
  Background() : thread_(1) {}
  ~Background() { thread_.join(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // `work` returns a value (never void) that can be moved.
  template <typename Work>
  boost::asio::awaitable<std::invoke_result_t<Work&>> run(Work work) {
    using Value = std::invoke_result_t<Work&>;
    boost::asio::any_io_executor home = co_await boost::asio::this_coro::executor;
    // Named, because gcc 12 miscompiles a capturing lambda inside a statement with co_await.
    auto initiate = [this, home](auto handler, Work todo) {
      auto job = [home, handler = std::move(handler), todo = std::move(todo)]() mutable {
        Value value = todo();
        auto finish = [handler = std::move(handler), value = std::move(value)]() mutable {
          std::move(handler)(std::move(value));
        };
        boost::asio::post(home, std::move(finish));
      };
      boost::asio::post(thread_, std::move(job));
    };
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>,
                                                   void(Value)>(
        initiate, boost::asio::use_awaitable, std::move(work));
  }

 private:
  boost::asio::thread_pool thread_;
};

}  // namespace fipd
