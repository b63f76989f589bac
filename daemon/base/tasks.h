#pragma once

#include <exception>
#include <functional>
#include <list>
#include <string>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/system/system_error.hpp>

namespace fipd {

// The long-lived coroutines of the daemon: none is detached, each can be cancelled, and one that
// dies of an exception is heard of. One thread.
class Tasks {
 public:
  using OnFailure = std::function<void(const std::string& name, const std::string& what)>;

  Tasks(boost::asio::any_io_executor executor, OnFailure on_failure)
      : executor_(std::move(executor)), on_failure_(std::move(on_failure)) {}

  void spawn(std::string name, boost::asio::awaitable<void> task) {
    auto& entry = running_.emplace_back();
    const auto at = std::prev(running_.end());
    auto done = [this, at, name = std::move(name)](const std::exception_ptr& error) {
      running_.erase(at);
      if (error) judge(name, error);
    };
    boost::asio::co_spawn(executor_, std::move(task),
                          boost::asio::bind_cancellation_slot(entry.slot(), std::move(done)));
  }

  void cancel() {
    stopping_ = true;
    for (auto at = running_.begin(); at != running_.end();) {
      auto& signal = *at++;  // the handler may erase it
      signal.emit(boost::asio::cancellation_type::terminal);
    }
  }

 private:
  void judge(const std::string& name, const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& cancelled) {
      if (stopping_ && cancelled.code() == boost::asio::error::operation_aborted) return;
      on_failure_(name, cancelled.what());
    } catch (const boost::asio::multiple_exceptions& both) {
      // Of a task that waits for two at once (operator&&), both may be cancelled in their midst.
      judge(name, both.first_exception());
    } catch (const std::exception& failure) {
      on_failure_(name, failure.what());
    }
  }

  boost::asio::any_io_executor executor_;
  OnFailure on_failure_;
  std::list<boost::asio::cancellation_signal> running_;
  bool stopping_ = false;
};

}  // namespace fipd
