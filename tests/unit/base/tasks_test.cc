#include "daemon/base/tasks.h"

#include <stdexcept>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

namespace asio = boost::asio;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TasksTest : public ::testing::Test {
 protected:
  asio::awaitable<void> sleep() {
    asio::steady_timer timer(loop_, std::chrono::hours(1));
    co_await timer.async_wait(asio::use_awaitable);
  }
  asio::awaitable<void> sleep_twice() {
    using asio::experimental::awaitable_operators::operator&&;
    co_await (sleep() && sleep());
  }
  static asio::awaitable<void> die() {
    throw std::runtime_error("of old age");
    co_return;
  }

  asio::io_context loop_;
  std::vector<std::string> heard_;
  Tasks tasks_{loop_.get_executor(), [this](const std::string& name, const std::string& what) {
                 heard_.push_back(name + ": " + what);
               }};
};

TEST_F(TasksTest, OneThatDiesIsHeardOf) {
  tasks_.spawn("it", die());
  loop_.run();
  EXPECT_THAT(heard_, ElementsAre("it: of old age"));
}

TEST_F(TasksTest, OneThatIsCancelledIsNotAlsoWhereItWaitsForTwo) {
  tasks_.spawn("one", sleep());
  tasks_.spawn("two", sleep_twice());
  loop_.poll();
  tasks_.cancel();
  loop_.restart();
  loop_.run();
  EXPECT_THAT(heard_, IsEmpty());
}

}  // namespace
}  // namespace fipd
