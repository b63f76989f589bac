// Each thing that can stand between a route of ours and a peer, and what is said of it.
#include "tests/unit/announce/announcements_fixture.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class WhyNotTest : public AnnouncementsTest {
 protected:
  World::Route lost() const { return {false, false, false}; }
  const Announced& look(std::uint32_t i) { return last_ = announcements_->of(numbered(i)); }
  std::size_t counted(Cause cause) {
    return announcements_->report().missing.at(static_cast<std::size_t>(cause)).second;
  }
  Announced last_;
};

TEST_F(WhyNotTest, TheExportFilterRejectsIt) {
  world_.set(0, {true, false, false, false});
  bind_first(1);
  start();
  ASSERT_TRUE(wait_reason(0, "the export filter out4 of session tor1 rejects it"));
  EXPECT_TRUE(look(0).learned);
  EXPECT_EQ(announcements_->only_learned(), 1U);
  EXPECT_EQ(counted(Cause::kExportFilter), 1U);
  EXPECT_THAT(announcements_->problems(), ElementsAre(HasSubstr("1 floating IP(s) not announced, "
                                                                "as 172.16.0.0: the export")));
}

TEST_F(WhyNotTest, ASessionOfTheOtherFamilyLacksNothing) {
  world_.have_session_per_family();
  world_.export_first(1);
  bind_first(1);
  start();
  ASSERT_TRUE(wait_announced(1));
  ASSERT_TRUE(wait_until([this] { return announcements_->established().size() == 2; }));
  pass(milliseconds(300));  // several surveys
  EXPECT_EQ(reason(0), "");
  EXPECT_THAT(announcements_->problems(), IsEmpty());
  tasks_.spawn("examine", announcements_->examine(numbered(0)));
  pass(milliseconds(50));
  EXPECT_EQ(reason(0), "");
  EXPECT_EQ(counted(Cause::kNoChannel), 0U);
  EXPECT_THAT(announcements_->sessions_for(numbered(0)), ElementsAre("tor1"));
  EXPECT_THAT(announcements_->established_for(numbered(0)), ElementsAre("tor1"));
}

TEST_F(WhyNotTest, TheFilterOfItsOwnFamilysSessionIsAsked) {
  world_.have_session_per_family();
  world_.set(0, {true, false, false, false});
  bind_first(1);
  start();
  EXPECT_TRUE(wait_reason(0, "the export filter out4 of session tor1 rejects it"));
}

TEST_F(WhyNotTest, TheExportLimitIsHit) {
  world_.set(0, {true, false, false});
  world_.hit_limit();
  bind_first(1);
  start();
  EXPECT_TRUE(wait_reason(0, "session tor1 has hit its export limit"));
}

TEST_F(WhyNotTest, TheImportFilterRejectsIt) {
  world_.set(0, {false, true, false});
  bind_first(1);
  start();
  ASSERT_TRUE(wait_reason(0, "import filter in4 of k4 rejects it"));
  EXPECT_FALSE(look(0).learned);
  EXPECT_EQ(world_.nudges(), 0);
}

TEST_F(WhyNotTest, AStrangersRouteHidesIt) {
  world_.set(0, lost());
  strangers_ = {{*Prefix::parse("172.16.0.0/32"), 5, 4}};
  bind_first(1);
  start();
  ASSERT_TRUE(wait_reason(0, "a stranger's route to it (protocol 4, metric 5)"));
  EXPECT_EQ(world_.nudges(), 0);
  strangers_.front().metric = 2000;  // after ours: BIRD takes ours
  announcements_->routes_changed();
  EXPECT_TRUE(wait_until([this] { return world_.nudges() > 0; }));
}

TEST_F(WhyNotTest, TheKernelProtocolIsNotUp) {
  world_.set(0, lost());
  world_.set_kernel_state("start");
  bind_first(1);
  start();
  ASSERT_TRUE(wait_reason(0, "kernel protocol k4 is in state start, not up"));
  EXPECT_THAT(announcements_->problems(),
              ElementsAre(HasSubstr("another one reads the same kernel table")));
  EXPECT_EQ(world_.nudges(), 0);
}

TEST_F(WhyNotTest, ACopyThatBgpBroughtIsPreferred) {
  World::Route trap{true, false, false};
  trap.preference = 10;
  trap.copy = 100;
  world_.set(0, trap);
  bind_first(1);
  start();
  ASSERT_TRUE(
      wait_reason(0, "the route from tor1 (preference 100) wins over ours (preference 10)"));
  EXPECT_TRUE(look(0).learned);
  EXPECT_EQ(counted(Cause::kPreference), 1U);
}

TEST_F(WhyNotTest, TheOnlySessionIsDown) {
  world_.export_first(1);
  bind_first(1);
  start();
  ASSERT_TRUE(wait_announced(1));
  world_.set_session("Active        Socket: Connection refused");
  ASSERT_TRUE(wait_reason(0,
                          "no BGP session is established: session tor1 is up: Active Socket: "
                          "Connection refused"));
  EXPECT_TRUE(wait_until([this] { return look(0).learned; }));
  EXPECT_THAT(look(0).sessions, IsEmpty());
}

TEST_F(WhyNotTest, BirdHasLostTheEventAndIsNudgedOnce) {
  start();
  ASSERT_TRUE(wait_until([this] { return !announcements_->established().empty(); }));
  world_.lose(0);
  route(0);
  EXPECT_TRUE(wait_announced(1));
  EXPECT_EQ(world_.nudges(), 1);
  EXPECT_TRUE(was_told("made k4 read the kernel's table again"));
  EXPECT_EQ(announcements_->report().counters.nudges, 1U);
  EXPECT_EQ(reason(0), "");
}

TEST_F(WhyNotTest, WhatANudgeDoesNotBringIsNotNudgedForAgain) {
  start();
  ASSERT_TRUE(wait_until([this] { return !announcements_->established().empty(); }));
  world_.set(0, lost());
  route(0);
  ASSERT_TRUE(
      wait_reason(0, "has read the kernel's table and not taken it: the import filter in4"));
  pass(milliseconds(600));
  EXPECT_EQ(world_.nudges(), 1);
  world_.set(1, lost());
  route(1);
  EXPECT_TRUE(wait_until([this] { return world_.nudges() == 2; }));
}

TEST_F(WhyNotTest, ThousandsAreJudgedByKindWithOneQuestionEach) {
  world_.change([](auto& routes) {
    for (std::uint32_t i = 0; i < 3000; ++i) {
      routes[numbered(i)] = World::Route{true, false, i % 3 == 0, i % 3 != 1};
      if (i % 3 == 2) routes[numbered(i)] = World::Route{false, true, false};
    }
  });
  bind_first(3000);
  start();
  ASSERT_TRUE(wait_reason(1, "the export filter out4"));
  EXPECT_THAT(reason(2), HasSubstr("import filter in4"));
  EXPECT_EQ(reason(0), "");
  EXPECT_EQ(counted(Cause::kExportFilter), 1000U);
  EXPECT_EQ(counted(Cause::kImportFilter), 1000U);
  EXPECT_LT(world_.questions(), 50);
}

TEST_F(WhyNotTest, ExaminedSinglyTheReasonIsKnownAtOnce) {
  times_.settle = std::chrono::seconds(30);
  world_.set(0, {true, false, false, false});
  bind_first(1);
  start();
  ASSERT_TRUE(wait_until([this] { return !announcements_->established().empty(); }));
  tasks_.spawn("examine", announcements_->examine(numbered(0)));
  EXPECT_TRUE(wait_reason(0, "the export filter out4"));
}

class OthersTest : public WhyNotTest {
 protected:
  World::Route copied() const {
    World::Route route;
    route.copy = 100;
    return route;
  }
};

TEST_F(OthersTest, AnotherHostsRouteIsNoticedAndItsEndToo) {
  world_.export_first(2);
  bind_first(2);
  start();
  ASSERT_TRUE(wait_announced(2));
  world_.set(0, copied());
  ASSERT_TRUE(wait_until([this] { return !look(0).others.empty(); }));
  EXPECT_THAT(look(0).others, ElementsAre("10.240.0.7"));
  EXPECT_THAT(look(1).others, IsEmpty());
  EXPECT_TRUE(was_told("172.16.0.0 is also announced by 10.240.0.7"));
  EXPECT_EQ(announcements_->report().duplicates, 1U);
  world_.set(0, World::Route());
  EXPECT_TRUE(wait_until([this] { return look(0).others.empty(); }));
  EXPECT_TRUE(was_told("172.16.0.0 is no longer announced by others"));
}

TEST_F(OthersTest, OnesThatAreMeantAreShownAndNotCountedAsDuplicates) {
  shared_.insert(numbered(0));
  world_.set(0, copied());
  bind_first(1);
  start();
  ASSERT_TRUE(wait_until([this] { return !look(0).others.empty(); }));
  EXPECT_EQ(announcements_->report().duplicates, 0U);
  EXPECT_FALSE(was_told("also announced"));
}

TEST_F(OthersTest, RoutesOfAddressesThatAreNotOursAreNobodysBusiness) {
  world_.set(7, copied());
  world_.set(0, World::Route());
  bind_first(1);
  start();
  ASSERT_TRUE(wait_announced(1));
  pass(milliseconds(300));
  EXPECT_EQ(announcements_->report().duplicates, 0U);
}

class WithdrawalsTest : public AnnouncementsTest {
 protected:
  void start_with_announced(std::uint32_t count) {
    world_.export_first(count);
    bind_first(count);
    start();
    announcements_->on_released([this](const IpAddress& address) { released_.insert(address); });
    ASSERT_TRUE(wait_announced(count));
  }
  void withdraw(std::uint32_t i, milliseconds linger = std::chrono::seconds(30)) {
    ours_.erase(numbered(i));
    announcements_->follow_withdrawal(numbered(i), linger);
  }
  std::set<IpAddress> released_;
};

TEST_F(WithdrawalsTest, WaitUntilNoSessionHasIt) {
  start_with_announced(2);
  withdraw(0);
  pass(milliseconds(300));
  EXPECT_THAT(released_, IsEmpty());
  world_.change([](auto& routes) { routes.erase(numbered(0)); });
  EXPECT_TRUE(wait_until([this] { return released_.contains(numbered(0)); }));
  EXPECT_TRUE(was_told("withdrawn 172.16.0.0: "));
  EXPECT_EQ(announcements_->report().counters.withdraw.count(), 1U);
}

TEST_F(WithdrawalsTest, ThousandsAreFollowedInBulk) {
  start_with_announced(2000);
  for (std::uint32_t i = 0; i < 1000; ++i) withdraw(i);
  world_.change([](auto& routes) {
    for (std::uint32_t i = 0; i < 999; ++i) routes.erase(numbered(i));
  });
  const int before = world_.questions();
  EXPECT_TRUE(wait_until([this] { return released_.size() == 999; }));
  EXPECT_FALSE(released_.contains(numbered(999))) << "a session has it still";
  EXPECT_LT(world_.questions() - before, 500);
}

TEST_F(WithdrawalsTest, APeerThatCannotBeAskedMayKeepItForItsRestartTime) {
  times_.kept_by_peers = milliseconds(500);
  start_with_announced(1);
  world_.set_session("Active");
  ASSERT_TRUE(wait_until([this] { return announcements_->established().empty(); }));
  withdraw(0);
  pass(milliseconds(250));
  EXPECT_THAT(released_, IsEmpty());
  EXPECT_TRUE(wait_until([this] { return !released_.empty(); })) << "after its restart time";
}

TEST_F(WithdrawalsTest, APeerWhoseSessionFellSinceTheLastLookMayKeepItToo) {
  watch_every_ = std::chrono::seconds(60);
  start_with_announced(1);
  world_.set_session("Active");
  withdraw(0);
  pass(milliseconds(400));
  EXPECT_FALSE(announcements_->established().empty()) << "nobody has looked";
  EXPECT_THAT(released_, IsEmpty());
}

TEST_F(WithdrawalsTest, AreLeftToTheLingerTimeWhereBirdIsSilent) {
  start_with_announced(1);
  world_.be_silent(true);
  withdraw(0, milliseconds(200));
  pass(milliseconds(600));
  EXPECT_THAT(released_, IsEmpty());
}

}  // namespace
}  // namespace fipd
