#include "daemon/reconcile/steering.h"

#include <gtest/gtest.h>

namespace fipd {
namespace {

using std::chrono::milliseconds;

class Steered : public testing::Test {
 protected:
  Steered() {
    binding_.floating = *parse_address("172.16.1.3");
    binding_.fixed = *parse_address("10.65.0.13");
  }

  Steer steer() { return steering_.of(binding_, now_).steer; }
  // As a pass does it, where the address has an interface.
  Steer route() {
    const Steer steer = steering_.of(binding_, now_).steer;
    steering_.routed(binding_.floating, now_);
    return steer;
  }
  bool notice() {
    return steering_.noticed(binding_.floating, binding_.extras->shared, now_).has_value();
  }
  void check() { binding_.extras.edit().check = HealthCheck{}; }

  Steering steering_;
  Binding binding_;
  Steering::Clock::time_point now_ = Steering::Clock::now();
};

TEST_F(Steered, ANewAddressThatNobodyElseHasIsNothingSpecial) {
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_EQ(route(), Steer::kNone);
}

TEST_F(Steered, ANewAddressThatAnotherHostAnnouncesIsPreferredForTheSettlingTime) {
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  now_ += milliseconds(4000);
  EXPECT_TRUE(notice());
  EXPECT_FALSE(notice()) << "once";
  EXPECT_EQ(route(), Steer::kPreferred);
  now_ += milliseconds(74'999);
  EXPECT_EQ(route(), Steer::kPreferred);
  now_ += milliseconds(1);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_FALSE(notice());
}

TEST_F(Steered, AnAddressThatWasHereForLongTakesNothingOver) {
  EXPECT_FALSE(notice()) << "bound by a first snapshot";
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  now_ += milliseconds(20'000);
  EXPECT_FALSE(notice());
}

TEST_F(Steered, AnAddressThatWaitedForItsTapIsNewWhenItComes) {
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(steer(), Steer::kNone);
  now_ += milliseconds(60'000);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_TRUE(notice());
}

TEST_F(Steered, OneThatWentIsNotNewAnyMore) {
  steering_.bound_anew(binding_.floating);
  steering_.gone(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_FALSE(notice());
}

TEST_F(Steered, ASharedAddressTakesNothingOver) {
  binding_.extras.edit().shared = true;
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_FALSE(notice());
}

TEST_F(Steered, WithoutASettlingTimeNothingIsTakenOver) {
  steering_.configure({milliseconds(0), false});
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_FALSE(notice());
}

TEST_F(Steered, WhatAnEarlierRunWasTakingOverSettlesLater) {
  steering_.inherit_settling(binding_.floating, now_ + milliseconds(5000));
  EXPECT_EQ(route(), Steer::kPreferred);
  now_ += milliseconds(5000);
  EXPECT_EQ(route(), Steer::kNone);
}

TEST_F(Steered, DrainGoesBeforeEverythingElse) {
  check();
  steering_.configure({milliseconds(5000), true});
  steering_.bound_anew(binding_.floating);
  EXPECT_EQ(route(), Steer::kNone);
  EXPECT_TRUE(notice());
  steering_.set_failing(binding_.floating, "its check fails");
  steering_.drain(binding_.floating);
  EXPECT_EQ(steer(), Steer::kDrained);
  steering_.undrain(binding_.floating);
  EXPECT_EQ(steer(), Steer::kWithdrawn);
  steering_.set_passing(binding_.floating);
  EXPECT_EQ(steer(), Steer::kPreferred);
}

TEST_F(Steered, TheHostsDrainCoversAllAndItsEndEndsAll) {
  steering_.drain(*parse_address("172.16.1.4"));
  steering_.drain_host(true);
  EXPECT_EQ(steering_.of(binding_, now_).reason, "drained with the whole host");
  steering_.drain_host(false);
  EXPECT_EQ(steer(), Steer::kNone);
  EXPECT_TRUE(steering_.drained().empty());
}

TEST_F(Steered, AFailingCheckIsWhatIsConfigured) {
  steering_.set_failing(binding_.floating, "its check fails");
  EXPECT_EQ(steer(), Steer::kNone) << "it has no check any more";
  check();
  EXPECT_EQ(steer(), Steer::kDrained);
  EXPECT_EQ(steering_.of(binding_, now_).reason, "its check fails");
  steering_.configure({milliseconds(5000), true});
  EXPECT_EQ(steer(), Steer::kWithdrawn);
}

TEST_F(Steered, WhatWasDownBeforeARestartStaysDownUntilItsCheckAnswers) {
  steering_.inherit_down(binding_.floating);
  EXPECT_EQ(steer(), Steer::kNone) << "it has no check";
  check();
  EXPECT_EQ(steer(), Steer::kDrained);
  steering_.set_passing(binding_.floating);
  EXPECT_EQ(steer(), Steer::kNone);
}

TEST(Recently, ForgetsWithinTwoSpans) {
  using Time = Recent::Clock::time_point;
  const IpAddress one = *parse_address("172.16.1.3");
  const IpAddress two = *parse_address("172.16.1.4");
  const auto span = milliseconds(100);
  const Time start = Recent::Clock::now();
  Recent recent;
  recent.note(one, start, span);
  recent.note(two, start + milliseconds(90), span);
  EXPECT_TRUE(recent.has(one, start + milliseconds(99), span));
  EXPECT_TRUE(recent.has(two, start + milliseconds(189), span));
  EXPECT_FALSE(recent.has(one, start + milliseconds(200), span));
  EXPECT_FALSE(recent.has(two, start + milliseconds(300), span));
  recent.note(one, start + milliseconds(300), span);
  recent.forget(one);
  EXPECT_FALSE(recent.has(one, start + milliseconds(301), span));
}

}  // namespace
}  // namespace fipd
