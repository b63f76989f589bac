#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

class Refusal : public BenchTop {};

TEST_F(Refusal, OneBadMappingIsNamedAndHoldsUpNobodyElse) {
  start();
  nat_.refusals[{nat::Map::kFixedByFloating, address("172.16.1.7")}] = ENFILE;
  reconciler_->begin_batch();
  for (int i = 0; i < 20; ++i) {
    reconciler_->put(claim(fmt::format("172.16.1.{}", i + 1), fmt::format("10.65.0.{}", i + 1)));
  }
  reconciler_->end_batch();
  settle();
  EXPECT_EQ(routes_.routes().size(), 19u);
  EXPECT_EQ(state_of("172.16.1.7"), State::kFailed);
  EXPECT_FALSE(routes_.has(address("172.16.1.7"))) << "never a route without its mapping";
  nat_.refusals.clear();
  run_for(std::chrono::milliseconds(400));
  EXPECT_EQ(state_of("172.16.1.7"), State::kRouted);
}

TEST_F(Refusal, OneBadRouteIsNamedWithTheKernelsWordAndTriedAgain) {
  start();
  routes_.fail(address("172.16.1.7"), ENETDOWN);
  put("172.16.1.7", "10.65.0.7");
  put("172.16.1.8", "10.65.0.8");
  EXPECT_EQ(state_of("172.16.1.7"), State::kFailed);
  EXPECT_EQ(state_of("172.16.1.8"), State::kRouted);
  const Standing* standing = reconciler_->standings().find(address("172.16.1.7"));
  EXPECT_NE(standing->reason.find("Network is down"), std::string::npos) << standing->reason;
  routes_.heal(address("172.16.1.7"));
  run_for(std::chrono::milliseconds(400));
  EXPECT_EQ(state_of("172.16.1.7"), State::kRouted);
}

TEST_F(Refusal, WhatSomebodyElseChangedMeanwhileIsReadAndComparedAgain) {
  start();
  put("172.16.1.3", "10.65.0.13");
  // Changed behind our back, and the event has not arrived yet.
  nat_.elements.erase({nat::Map::kFixedByFloating, address("172.16.1.3")});
  put("172.16.1.3", "10.65.0.14");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_EQ((nat_.elements[{nat::Map::kFixedByFloating, address("172.16.1.3")}]),
            nat::Value(address("10.65.0.14")));
  EXPECT_EQ(reconciler_->counters().nat_refusals, 1u);
}

TEST_F(Refusal, ATableThatVanishedIsBuiltAgainBeforeTheChange) {
  start();
  put("172.16.1.3", "10.65.0.13");
  nat_.lose_table();
  put("172.16.1.4", "10.65.0.14");
  EXPECT_EQ(nat_.elements.size(), 4u);
}

TEST_F(Refusal, ASocketThatFailsLosesNothing) {
  start();
  nat_.next_failure = Error::from_errno(ENOBUFS, "nft");
  put("172.16.1.3", "10.65.0.13");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  routes_.fail_socket(Error::from_errno(ENOBUFS, "rtnetlink"));
  put("172.16.1.4", "10.65.0.14");
  EXPECT_EQ(state_of("172.16.1.4"), State::kRouted);
}

TEST_F(Refusal, ConnectionsOfAMovedAddressAreFlushedAlthoughItsRouteFails) {
  start();
  put("172.16.1.3", "10.65.0.13");
  routes_.fail_socket(Error::from_errno(ENOBUFS, "rtnetlink"));
  put("172.16.1.3", "10.65.0.14", "tap2");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  run_for(std::chrono::milliseconds(100));  // flushes have a thread of their own
  ASSERT_EQ(connections_.journal.size(), 1u);
  EXPECT_EQ(connections_.journal[0][0].fixed, address("10.65.0.13"));
}

TEST_F(Refusal, AKernelThatCannotBeReadWithdrawsNothingAndIsReported) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  nat_.next_failure = Error::from_errno(EPERM, "nft");
  reconciler_->nat_overrun();
  run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(reconciler_->problems().size(), 1u);
  settle();
  EXPECT_TRUE(reconciler_->problems().empty());
  EXPECT_TRUE(effects().empty());
}

TEST_F(Refusal, AFlushThatFailedIsTriedAgainWithThoseSince) {
  start();
  put("172.16.1.3", "10.65.0.13");
  connections_.next_failure = Error::from_errno(ENOBUFS, "conntrack");
  put("172.16.1.3", "10.65.0.14");
  put("172.16.1.3", "10.65.0.15");
  run_for(std::chrono::milliseconds(20));
  ASSERT_EQ(reconciler_->problems().size(), 1u);
  EXPECT_THAT(reconciler_->problems()[0], testing::HasSubstr("No buffer space"));
  run_for(std::chrono::milliseconds(300));
  ASSERT_EQ(connections_.journal.size(), 2u);
  ASSERT_EQ(connections_.journal[1].size(), 2u);
  EXPECT_EQ(connections_.journal[1][0].fixed, address("10.65.0.13"));
  EXPECT_EQ(connections_.journal[1][1].fixed, address("10.65.0.14"));
  EXPECT_TRUE(reconciler_->problems().empty());
}

TEST_F(Refusal, NothingIsPromisedWhileTheKernelCanNeitherBeWrittenNorRead) {
  start();
  nat_.next_failure = Error::from_errno(ENOBUFS, "nft");  // of the commit
  nat_.read_failure = Error::from_errno(ENOMEM, "nft");
  reconciler_->put(claim("172.16.1.3", "10.65.0.13"));
  run_for(std::chrono::milliseconds(500));
  EXPECT_FALSE(known("172.16.1.3"));
  EXPECT_FALSE(routes_.has(address("172.16.1.3")));
  nat_.read_failure.reset();
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_TRUE(nat_.elements.contains({nat::Map::kFixedByFloating, address("172.16.1.3")}));
}

TEST_F(Refusal, RulesThatTheKernelCannotHaveHoldUpOnlyWhoNeedsThem) {
  start();
  nat_.limits_failure = Error::from_errno(ENOENT, "nft: limit");
  reconciler_->begin_batch();
  Claim limited = claim("172.16.1.3", "10.65.0.13");
  limited.binding.extras.edit().limits.emplace().connections = 5;
  reconciler_->put(limited);
  reconciler_->put(claim("172.16.1.4", "10.65.0.14"));
  reconciler_->end_batch();
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kFailed);
  EXPECT_FALSE(routes_.has(address("172.16.1.3")));
  EXPECT_EQ(state_of("172.16.1.4"), State::kRouted);
  put("172.16.1.5", "10.65.0.15");
  EXPECT_EQ(state_of("172.16.1.5"), State::kRouted);
  EXPECT_TRUE(reconciler_->problems().empty()) << "the kernel can be read";
  nat_.limits_failure.reset();
  run_for(std::chrono::milliseconds(800));
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Refusal, ALookupThatFailsWithdrawsNothingAndIsTriedAgain) {
  start();
  network_.set_route(address("10.65.0.13"), 7);
  network_.set_route(address("10.65.0.14"), 8);
  put("172.16.1.3", "10.65.0.13", "");
  (void)effects();
  network_.fail_with(Error::from_errno(ENOBUFS, "rtnetlink"));
  reconciler_->nat_overrun();
  put("172.16.1.4", "10.65.0.14", "");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_EQ(state_of("172.16.1.4"), State::kWaiting);
  EXPECT_TRUE(effects().empty());
  network_.fail_with(std::nullopt);
  run_for(std::chrono::milliseconds(1300));
  EXPECT_EQ(state_of("172.16.1.4"), State::kRouted) << "nobody marked it";
}

TEST_F(Refusal, LinksThatCouldNotBeReadAfterLostEventsAreReadLater) {
  start();
  put("172.16.1.3", "10.65.0.13", "tap3");
  EXPECT_EQ(state_of("172.16.1.3"), State::kWaiting);
  network_.set_link(9, "tap3");
  network_.fail_with(Error::from_errno(ENOBUFS, "rtnetlink"));
  reconciler_->network_overrun();
  run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(reconciler_->problems().size(), 1u);
  network_.fail_with(std::nullopt);
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_TRUE(reconciler_->problems().empty());
}

}  // namespace
}  // namespace fipd
