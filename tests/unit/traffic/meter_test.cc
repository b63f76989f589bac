#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "daemon/traffic_meter.h"
#include "nat/fake_nat_table.h"

namespace fipd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::milliseconds kShort{20};
constexpr std::chrono::milliseconds kLong{60000};

// Counts the readings; what is read is set between two runs of the loop.
class CountingTable : public nat::FakeNatTable {
 public:
  Result<std::vector<nat::Traffic>> counters() override {
    ++readings;
    return nat::FakeNatTable::counters();
  }
  int readings = 0;
};

class MeterTest : public ::testing::Test {
 protected:
  void start(MeterOptions options) {
    subscription_ = hub_.subscribe([this](const Event& event) { events_.push_back(event); });
    meter_ = std::make_unique<TrafficMeter>(loop_.get_executor(), table_, options, hub_);
    const auto ended = [](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
    };
    boost::asio::co_spawn(loop_, meter_->run(), ended);
    refresh();
  }
  // Returns once refresh() has.
  void refresh() {
    bool done = false;
    const auto ended = [&](const std::exception_ptr&) { done = true; };
    boost::asio::co_spawn(loop_, meter_->refresh(), ended);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(2));
    }
    ASSERT_TRUE(done);
  }
  void count(nat::Map map, std::uint64_t packets, std::uint64_t bytes) {
    table_.elements[{map, nat::Key(floating_)}] = nat::Counter{packets, bytes};
  }
  // Lets the meter run for as long as one reading is fresh.
  void age() {
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(25));
  }

  const IpAddress floating_ = parse_address("172.16.1.3").value();
  CountingTable table_;
  EventHub hub_;
  std::vector<Event> events_;
  EventHub::Subscription subscription_;
  std::unique_ptr<TrafficMeter> meter_;
  boost::asio::io_context loop_;  // goes first: its coroutines wait for the meter's signals
};

TEST_F(MeterTest, TellsWhatWasCountedAndWhatCameSinceTheStart) {
  count(nat::Map::kReceived, 7, 700);
  start({.guard = false, .accounting = true, .period = kLong, .fresh = kShort});
  ASSERT_TRUE(meter_->find(floating_));
  EXPECT_EQ(*meter_->find(floating_), (Traffic{7, 700, 0, 0}));
  EXPECT_FALSE(meter_->find(parse_address("172.16.1.4").value()));
  EXPECT_EQ(meter_->accounting(0)->total, Traffic()) << "that was before this daemon";
  EXPECT_FALSE(meter_->guard());
  count(nat::Map::kReceived, 9, 900);
  count(nat::Map::kSent, 1, 60);
  age();
  refresh();
  EXPECT_EQ(*meter_->find(floating_), (Traffic{9, 900, 1, 60}));
  EXPECT_EQ(meter_->accounting(0)->total, (Traffic{2, 200, 1, 60}));
}

TEST_F(MeterTest, ReadsNothingAnewThatIsFreshHoweverManyAsk) {
  start({.guard = false, .accounting = true, .period = kLong, .fresh = kLong});
  for (int i = 0; i < 20; ++i) refresh();
  EXPECT_EQ(table_.readings, 1);
}

TEST_F(MeterTest, HasSeriesOnlyForAsManyAsAreAllowed) {
  count(nat::Map::kSent, 1, 60);
  start({.guard = false, .accounting = true, .period = kLong, .fresh = kShort});
  EXPECT_EQ(meter_->accounting(0)->counted, 1U);
  EXPECT_THAT(meter_->accounting(0)->each, IsEmpty());
  EXPECT_EQ(meter_->accounting(1)->each.size(), 1U);
}

TEST_F(MeterTest, ReadsNothingWhereNothingIsCounted) {
  start({.guard = false, .accounting = false, .period = kLong, .fresh = kShort});
  EXPECT_EQ(table_.readings, 0);
  EXPECT_FALSE(meter_->accounting(1));
  meter_->configure({.guard = true, .accounting = false, .period = kLong, .fresh = kShort});
  table_.guarded = {5, 300};
  refresh();
  EXPECT_EQ(table_.readings, 0);
  ASSERT_TRUE(meter_->guard());
  EXPECT_EQ(meter_->guard()->packets, 5U);
}

TEST_F(MeterTest, CountsFromZeroWhatIsTurnedOnLater) {
  start({.guard = false, .accounting = false, .period = kLong, .fresh = kShort});
  count(nat::Map::kReceived, 4, 400);
  meter_->configure({.guard = false, .accounting = true, .period = kLong, .fresh = kShort});
  refresh();
  EXPECT_EQ(meter_->accounting(0)->total, (Traffic{4, 400, 0, 0}));
  meter_->configure({.guard = false, .accounting = false, .period = kLong, .fresh = kShort});
  EXPECT_FALSE(meter_->find(floating_));
}

TEST_F(MeterTest, KeepsTheLastReadingWhereTheNextFails) {
  count(nat::Map::kReceived, 7, 700);
  start({.guard = false, .accounting = true, .period = kLong, .fresh = kShort});
  table_.next_failure = Error(ErrorCode::kKernel, "dump: Interrupted");
  age();
  refresh();
  EXPECT_THAT(meter_->problem(), HasSubstr("Interrupted"));
  EXPECT_TRUE(meter_->find(floating_));
  age();
  refresh();
  EXPECT_THAT(meter_->problem(), IsEmpty());
}

TEST_F(MeterTest, HandsEachReadingOn) {
  count(nat::Map::kReceived, 7, 700);
  TrafficMeter::Reading handed;
  start({.guard = false, .accounting = false, .period = kLong, .fresh = kShort});
  meter_->on_read([&](TrafficMeter::Reading reading) { handed = std::move(reading); });
  meter_->configure({.guard = false, .accounting = true, .period = kLong, .fresh = kShort});
  refresh();
  ASSERT_TRUE(handed);
  EXPECT_EQ(handed->at(0).received.packets, 7U);
}

TEST_F(MeterTest, TellsTheBusiestOnceAPeriod) {
  count(nat::Map::kReceived, 7, 700);
  start({.guard = false,
         .accounting = true,
         .period = std::chrono::milliseconds(200),
         .fresh = kShort});
  count(nat::Map::kReceived, 9, 1000700);
  for (int i = 0; i < 40; ++i) age();
  ASSERT_EQ(events_.size(), 1U) << "later nothing moved";
  EXPECT_EQ(events_[0].kind, "traffic");
  EXPECT_EQ(events_[0].floating, floating_);
  EXPECT_EQ(events_[0].traffic, (Traffic{9, 1000700, 0, 0}));
  EXPECT_THAT(events_[0].text, HasSubstr("172.16.1.3 in "));
}

}  // namespace
}  // namespace fipd
