#include "daemon/announcements.h"

#include <atomic>
#include <mutex>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/tasks.h"
#include "tests/unit/bgp/bird_fake.h"

namespace fipd {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

IpAddress numbered(std::uint32_t i) { return asio::ip::address_v4(0xac100000U + i); }

// What BIRD exports, changed by the test while FakeBird answers on its threads.
class World {
 public:
  void export_first(std::uint32_t count) {
    const std::lock_guard lock(mutex_);
    rows_.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
      rows_ += fmt::format(" {}/32 unicast [k 1] * (200)\n", numbered(i));
    }
  }
  void be_silent(bool silent) { silent_ = silent; }
  [[nodiscard]] int bulk_questions() const { return bulk_questions_; }

  bgp::FakeBird::Script script() {
    return [this](const bgp::FakeConversation& peer) {
      if (!silent_ && !peer.say("0001 BIRD 2.0.12 ready.\n")) return;
      while (const auto command = peer.hear()) {
        if (!silent_ && !peer.say(answer(*command))) return;
      }
    };
  }

 private:
  std::string answer(const std::string& command) {
    const std::lock_guard lock(mutex_);
    if (command == "show status") return "1000-BIRD 2.0.12\n0013 Daemon is up and running\n";
    if (command.starts_with("show protocols"))
      return "1002-tor1 BGP --- up 20:36:56.027 Established\n0000 \n";
    const std::string bulk = "show route exported 'tor1'";
    if (command.starts_with(bulk + " ")) {
      const std::string row = command.substr(bulk.size()) + " unicast [k 1] * (200)\n";
      const bool there = rows_.find(row) != std::string::npos;
      return there ? "1007-Table fip4:\n" + row + "0000 \n" : "8001 Network not found\n";
    }
    ++bulk_questions_;
    return "1007-Table fip4:\n" + rows_ + "0000 \n";
  }

  std::mutex mutex_;
  std::string rows_;
  std::atomic<bool> silent_{false};
  std::atomic<int> bulk_questions_{0};
};

class AnnouncementsTest : public testing::Test {
 protected:
  AnnouncementsTest() {
    times_.settle = milliseconds(20);
    times_.retry = milliseconds(50);
    subscription_ = events_.subscribe([this](const Event& event) {
      if (event.kind != "bird") told_.push_back(event.text);
    });
  }
  ~AnnouncementsTest() override {
    watch_.reset();
    tasks_.cancel();
    io_.restart();
    io_.run_for(milliseconds(50));
  }

  void start() {
    bgp::BirdOptions options;
    options.path = folder_.path() / "bird.ctl";
    options.timeout = options.bulk_timeout = milliseconds(100);
    options.retry_min = options.retry_max = milliseconds(10);
    client_.emplace(io_.get_executor(), options);
    OurRoutes ours;
    ours.routed = [this](const IpAddress& address) { return ours_.contains(address); };
    ours.count = [this] { return ours_.size(); };
    announcements_.emplace(io_.get_executor(), *client_, events_, ours, times_);
    watch_.emplace(io_.get_executor(), *client_, *announcements_, milliseconds(10));
    bird_.emplace(options.path, world_.script());
    tasks_.spawn("refreshes", announcements_->run_refreshes());
    watch_->start();
  }

  void bind_first(std::uint32_t count) {
    ours_.clear();
    for (std::uint32_t i = 0; i < count; ++i) ours_.insert(numbered(i));
    if (announcements_) announcements_->routes_changed();
  }

  bool wait_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_for(milliseconds(2));
    }
    return done();
  }
  bool wait_announced(std::size_t count) {
    return wait_until([this, count] { return announcements_->announced() == count; });
  }
  void pass(milliseconds time) {
    io_.restart();
    io_.run_for(time);
  }

  bgp::TemporaryFolder folder_;
  asio::io_context io_{1};
  Tasks tasks_{io_.get_executor(),
               [](const std::string&, const std::string& what) { ADD_FAILURE() << what; }};
  World world_;
  RefreshTimes times_;
  EventHub events_;
  EventHub::Subscription subscription_;
  std::vector<std::string> told_;
  std::set<IpAddress> ours_;
  std::optional<bgp::FakeBird> bird_;
  std::optional<bgp::BirdClient> client_;
  std::optional<Announcements> announcements_;
  std::optional<bgp::BirdWatch> watch_;
};

TEST_F(AnnouncementsTest, KnowsOfOursOnlyAndTellsOfEach) {
  world_.export_first(5);
  bind_first(2);
  start();
  ASSERT_TRUE(wait_announced(2));
  EXPECT_THAT(announcements_->last(numbered(1)), ElementsAre("tor1"));
  EXPECT_THAT(announcements_->last(numbered(2)), IsEmpty());
  EXPECT_THAT(told_, ElementsAre("announced 172.16.0.0 to tor1", "announced 172.16.0.1 to tor1"));
}

TEST_F(AnnouncementsTest, SeesANewRouteSoonAndAWithdrawalThatNobodyAskedFor) {
  times_.every = milliseconds(50);
  start();
  bind_first(1);
  EXPECT_TRUE(wait_until([this] { return world_.bulk_questions() > 0; }));
  EXPECT_EQ(announcements_->why_not(), "not announced yet");
  world_.export_first(1);
  ASSERT_TRUE(wait_announced(1));
  world_.export_first(0);
  ASSERT_TRUE(wait_announced(0));
  EXPECT_TRUE(wait_until([this] { return told_.size() == 2; }));
  EXPECT_THAT(told_.back(), StartsWith("withdrawn 172.16.0.0: "));
}

TEST_F(AnnouncementsTest, TellsOfManyInOneSentence) {
  world_.export_first(101);
  bind_first(101);
  start();
  ASSERT_TRUE(wait_announced(101));
  EXPECT_THAT(told_, ElementsAre("101 floating IP(s) announced, 0 withdrawn"));
}

TEST_F(AnnouncementsTest, HasNothingAndSaysWhyWhileBirdIsSilentAndIsBackAfterwards) {
  world_.export_first(3);
  bind_first(3);
  start();
  ASSERT_TRUE(wait_announced(3));
  world_.be_silent(true);
  ASSERT_TRUE(wait_announced(0));
  EXPECT_THAT(announcements_->why_not(), HasSubstr("BIRD: "));
  EXPECT_THAT(announcements_->why_not(), HasSubstr("does not answer"));
  world_.be_silent(false);
  EXPECT_TRUE(wait_announced(3));
}

TEST_F(AnnouncementsTest, AsksOnceForManyChangesAndPausesInACrowd) {
  times_.crowd = 10;
  times_.crowd_pause = milliseconds(300);
  world_.export_first(50);
  bind_first(50);
  start();
  ASSERT_TRUE(wait_announced(50));
  const int before = world_.bulk_questions();
  for (int i = 0; i < 20; ++i) {
    announcements_->routes_changed();
    pass(milliseconds(5));
  }
  EXPECT_EQ(world_.bulk_questions(), before);
  EXPECT_TRUE(wait_until([&] { return world_.bulk_questions() == before + 1; }));
}

TEST_F(AnnouncementsTest, LosesWhatASessionHadAtOnceAndNotWithTheNextRefresh) {
  times_.crowd = 0;
  times_.crowd_pause = std::chrono::seconds(30);
  world_.export_first(3);
  bind_first(3);
  start();
  ASSERT_TRUE(wait_announced(3));
  world_.be_silent(true);
  EXPECT_TRUE(wait_announced(0));
}

TEST_F(AnnouncementsTest, RemembersTheAnswerToOneQuestion) {
  times_.settle = std::chrono::seconds(30);
  world_.export_first(1);
  bind_first(2);
  start();
  int answers = 0;
  const auto done = [&](std::exception_ptr, const Result<std::vector<std::string>>& sessions) {
    if (sessions) ++answers;
  };
  for (std::uint32_t i = 0; i < 2; ++i) {
    asio::co_spawn(io_, announcements_->ask(numbered(i)), done);
  }
  ASSERT_TRUE(wait_until([&] { return answers == 2; }));
  EXPECT_THAT(announcements_->last(numbered(0)), ElementsAre("tor1"));
  EXPECT_THAT(announcements_->last(numbered(1)), IsEmpty());
  EXPECT_EQ(announcements_->announced(), 1U);
  EXPECT_EQ(world_.bulk_questions(), 0);
}

TEST_F(AnnouncementsTest, ForgetsAnAddressAtOnce) {
  world_.export_first(2);
  bind_first(2);
  start();
  ASSERT_TRUE(wait_announced(2));
  announcements_->forget(numbered(0));
  EXPECT_THAT(announcements_->last(numbered(0)), IsEmpty());
  EXPECT_EQ(announcements_->announced(), 1U);
}

}  // namespace
}  // namespace fipd
