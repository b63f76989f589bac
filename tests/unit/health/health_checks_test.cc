#include "daemon/health/health_checks.h"

#include <deque>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>

#include "daemon/base/tasks.h"

namespace fipd::health {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// Answers when told to, and counts.
class FakeProber : public Prober {
 public:
  explicit FakeProber(boost::asio::io_context& context) : context_(context) {}

  void probe(const CheckTarget& target, milliseconds, Done done) override {
    ++probes;
    most_at_a_time = std::max(most_at_a_time, ++under_way);
    auto answer = [this, done = std::move(done), target] {
      --under_way;
      ProbeResult result;
      if (dead(target)) result = {ProbeResult::Kind::kFailed, "Connection refused"};
      done(std::move(result));
    };
    auto timer = std::make_shared<boost::asio::steady_timer>(context_, delay);
    timer->async_wait([timer, answer](const boost::system::error_code& error) {
      if (!error) answer();
    });
  }

  std::function<bool(const CheckTarget&)> dead = [](const CheckTarget&) { return false; };
  milliseconds delay{0};
  std::size_t probes = 0;
  std::size_t under_way = 0;
  std::size_t most_at_a_time = 0;

 private:
  boost::asio::io_context& context_;
};

class Driving : public testing::Test {
 protected:
  ~Driving() override {
    tasks_.cancel();
    context_.restart();
    context_.run_for(milliseconds(200));
  }

  void start(milliseconds interval, std::size_t most_at_a_time) {
    CheckRules rules;
    rules.interval = interval;
    checks_.emplace(context_.get_executor(), prober_, events_, rules, most_at_a_time);
    checks_->on_change([this](const CheckChange& change) { changes_.push_back(change); });
    tasks_.spawn("health", checks_->run());
  }

  // Until it is so, or far too long.
  template <typename F>
  void run_until(F so) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!so() && std::chrono::steady_clock::now() < deadline) {
      context_.restart();
      context_.run_one_for(milliseconds(50));
    }
    EXPECT_TRUE(so());
  }

  static IpAddress floating(unsigned n) { return boost::asio::ip::address_v4(0xac100000U + n); }
  void want(unsigned n) {
    checks_->want(floating(n), {boost::asio::ip::address_v4(0x0a410000U + n), 80});
  }

  boost::asio::io_context context_{1};
  Tasks tasks_{context_.get_executor(), [](const std::string& name, const std::string& what) {
                 ADD_FAILURE() << name << what;
               }};
  EventHub events_;
  FakeProber prober_{context_};
  std::optional<HealthChecks> checks_;
  std::vector<CheckChange> changes_;
};

TEST_F(Driving, TellsADeadInstanceAndItsReturn) {
  start(milliseconds(5), 8);
  bool dead = true;
  prober_.dead = [&](const CheckTarget&) { return dead; };
  want(1);
  run_until([&] { return !changes_.empty(); });
  EXPECT_TRUE(changes_.back().failing);
  EXPECT_THAT(changes_.back().reason, HasSubstr("tcp/80 to 10.65.0.1 fails: Connection refused"));
  dead = false;
  run_until([&] { return changes_.size() == 2; });
  EXPECT_FALSE(changes_.back().failing);
}

TEST_F(Driving, TenThousandChecksRunSoManyAtATimeAndEachHasItsTurn) {
  start(milliseconds(200), 100);
  prober_.delay = milliseconds(1);
  for (unsigned n = 0; n < 10'000; ++n) want(n);
  run_until([&] { return prober_.probes >= 20'000; });
  EXPECT_EQ(prober_.most_at_a_time, 100u);
  // Twice each: all have passed, and were told to.
  run_until([&] { return changes_.size() == 10'000; });
}

TEST_F(Driving, TheBrakeIsReportedAndNothingIsTold) {
  start(milliseconds(5), 100);
  std::vector<std::string> told;
  const auto listening = events_.subscribe([&](const Event& event) {
    if (event.kind == "health") told.push_back(event.text);
  });
  prober_.dead = [](const CheckTarget&) { return true; };
  for (unsigned n = 0; n < 10; ++n) want(n);
  run_until([&] { return checks_->report().held == 10; });
  EXPECT_TRUE(changes_.empty());
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told.front(), HasSubstr("the check is suspected"));
  ASSERT_EQ(checks_->report().problems.size(), 1u);
  EXPECT_THAT(checks_->report().problems.front(), HasSubstr("10 of 10 checks fail at once"));
  for (unsigned n = 2; n < 10; ++n) checks_->forget(floating(n));
  run_until([&] { return changes_.size() == 2; });
  EXPECT_TRUE(checks_->report().problems.empty());
}

}  // namespace
}  // namespace fipd::health
