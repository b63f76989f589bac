#include "tests/unit/announce/announcements_fixture.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(AnnouncementsTest, KnowsOfOursOnlyAndTellsOfEach) {
  world_.export_first(5);
  bind_first(2);
  start();
  ASSERT_TRUE(wait_announced(2));
  EXPECT_THAT(announcements_->of(numbered(1)).sessions, ElementsAre("tor1"));
  EXPECT_THAT(announcements_->of(numbered(2)).sessions, IsEmpty());
  EXPECT_THAT(told_, ElementsAre("announced 172.16.0.0 to tor1", "announced 172.16.0.1 to tor1"));
}

TEST_F(AnnouncementsTest, SeesANewRouteSoonAndAWithdrawalThatNobodyAskedFor) {
  times_.every = milliseconds(50);
  start();
  bind_first(1);
  EXPECT_TRUE(wait_until([this] { return world_.bulk_questions() > 0; }));
  EXPECT_THAT(reason(0), HasSubstr("not"));
  world_.export_first(1);
  ASSERT_TRUE(wait_announced(1));
  world_.export_first(0);
  ASSERT_TRUE(wait_announced(0));
  EXPECT_TRUE(wait_until([this] { return was_told("withdrawn 172.16.0.0: "); }));
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
  EXPECT_THAT(reason(0), HasSubstr("BIRD: "));
  EXPECT_THAT(reason(0), HasSubstr("does not answer"));
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
  EXPECT_THAT(announcements_->of(numbered(0)).sessions, ElementsAre("tor1"));
  EXPECT_THAT(announcements_->of(numbered(1)).sessions, IsEmpty());
  EXPECT_EQ(announcements_->announced(), 1U);
  EXPECT_EQ(world_.bulk_questions(), 0);
}

TEST_F(AnnouncementsTest, LeavesBirdInPeaceWhileItsCountersStandStill) {
  world_.export_first(50);
  bind_first(50);
  start();
  ASSERT_TRUE(wait_announced(50));
  pass(milliseconds(200));
  const int before = world_.bulk_questions();
  pass(milliseconds(600));  // six times `every`
  EXPECT_EQ(world_.bulk_questions(), before);
  world_.export_first(49);  // somebody else's doing
  EXPECT_TRUE(wait_announced(49));
}

TEST_F(AnnouncementsTest, HearsOfANewRouteSinglyAndSaysHowLongItTook) {
  start();
  ASSERT_TRUE(wait_until([this] { return !announcements_->established().empty(); }));
  times_.settle = std::chrono::seconds(30);
  world_.export_first(1);
  route(0);
  EXPECT_TRUE(wait_announced(1));
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_THAT(told_.front(), StartsWith("announced 172.16.0.0 to tor1 after "));
  EXPECT_EQ(announcements_->report().counters.announce.count(), 1U);
  pass(milliseconds(300));
  EXPECT_THAT(told_, SizeIs(1)) << "told once more by the refresh";
}

TEST_F(AnnouncementsTest, CountsWhatEachSessionHas) {
  world_.export_first(5);
  bind_first(3);
  start();
  ASSERT_TRUE(wait_announced(3));
  const BirdReport report = announcements_->report();
  ASSERT_THAT(report.sessions, SizeIs(1));
  EXPECT_EQ(report.sessions[0].exported, 3U);
  EXPECT_EQ(report.sessions[0].neighbor, "10.99.0.2");
  EXPECT_TRUE(report.sessions[0].carries);
  EXPECT_THAT(report.problems, IsEmpty());
}

TEST_F(AnnouncementsTest, ForgetsAnAddressAtOnce) {
  world_.export_first(2);
  bind_first(2);
  start();
  ASSERT_TRUE(wait_announced(2));
  announcements_->forget(numbered(0));
  EXPECT_THAT(announcements_->of(numbered(0)).sessions, IsEmpty());
  EXPECT_EQ(announcements_->announced(), 1U);
}

}  // namespace
}  // namespace fipd
