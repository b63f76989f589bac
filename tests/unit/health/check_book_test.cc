#include "daemon/health/check_book.h"

#include <gmock/gmock.h>

namespace fipd::health {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

IpAddress floating(unsigned n) { return boost::asio::ip::address_v4(0xac100100U + n); }
CheckTarget target(unsigned n) { return {boost::asio::ip::address_v4(0x0a410000U + n), 443}; }

class Checks : public testing::Test {
 protected:
  Checks() : book_(rules(), [this] { return dice_; }) {}

  static CheckRules rules() {
    CheckRules out;
    out.interval = milliseconds(1000);
    return out;
  }

  void want(unsigned n) { book_.want(floating(n), target(n), now_); }

  // One probe of every check that is due within the next interval; `answers` says how each goes.
  template <typename F>
  void round(F answers) {
    now_ += milliseconds(1300);
    while (const auto probe = book_.start(now_)) {
      book_.finish(*probe, answers(probe->floating), now_);
    }
  }
  void round_where(const std::vector<unsigned>& failing) {
    round([&](const IpAddress& each) {
      for (const unsigned n : failing) {
        if (each == floating(n)) return ProbeResult{ProbeResult::Kind::kFailed, "refused"};
      }
      return ProbeResult();
    });
  }

  CheckChange failure(unsigned n) {
    return {floating(n), true, fmt::format("its check tcp/443 to 10.65.0.{} fails: refused", n)};
  }
  static CheckChange passing(unsigned n) { return {floating(n), false, ""}; }

  double dice_ = 0.5;
  CheckBook::Clock::time_point now_;
  CheckBook book_;
};

// A hundred that passed, and whose bridge has been down for longer than it takes to fail.
class Crowd : public Checks {
 protected:
  static constexpr unsigned kCount = 100;

  Crowd() {
    for (unsigned n = 1; n <= kCount; ++n) want(n);
    round_where({});
    round_where({});
    (void)book_.take_changes();
    for (int i = 0; i < 4; ++i) {
      round([](const IpAddress&) { return ProbeResult{ProbeResult::Kind::kFailed, "no answer"}; });
    }
    EXPECT_EQ(book_.held(), kCount);
  }

  void expect_all_recovered() {
    const std::vector<CheckChange> changes = book_.take_changes();
    EXPECT_EQ(changes.size(), kCount);
    for (const CheckChange& each : changes) EXPECT_FALSE(each.failing) << each.floating;
    EXPECT_EQ(book_.held(), 0u);
    EXPECT_EQ(book_.failing(), 0u);
  }
};

TEST_F(Checks, PassesAfterSoManyAnswersAndFailsAfterSoManyFailures) {
  want(1);
  round_where({});
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  round_where({});
  EXPECT_THAT(book_.take_changes(), ElementsAre(passing(1)));
  round_where({1});
  round_where({1});
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  round_where({1});
  EXPECT_THAT(book_.take_changes(), ElementsAre(failure(1)));
  EXPECT_EQ(book_.failing(), 1u);
  round_where({});
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  round_where({});
  EXPECT_THAT(book_.take_changes(), ElementsAre(passing(1)));
  EXPECT_EQ(book_.failing(), 0u);
}

TEST_F(Checks, OneAnswerInBetweenStartsTheCountAgain) {
  want(1);
  for (int i = 0; i < 4; ++i) {
    round_where({1});
    round_where({1});
    round_where({});
  }
  EXPECT_THAT(book_.take_changes(), IsEmpty());
}

TEST_F(Checks, IsDueEveryIntervalWithJitterEitherWay) {
  want(1);
  now_ += milliseconds(500);
  const auto probe = book_.start(now_);
  ASSERT_TRUE(probe);
  EXPECT_FALSE(book_.start(now_ + milliseconds(5000))) << "one at a time";
  dice_ = 0.0;
  book_.finish(*probe, {}, now_ + milliseconds(700));
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(800)) << "a slow answer shifts nothing";
  const auto second = book_.start(*book_.next_due());
  dice_ = 1.0;
  book_.finish(*second, {}, now_ + milliseconds(800));
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(2000));
}

TEST_F(Checks, AShorterIntervalCountsFromNowOnAndALongerOneFromTheNextProbe) {
  for (const unsigned n : {1U, 2U}) want(n);
  round_where({});
  const CheckBook::Clock::time_point asked = now_;
  CheckRules changed = rules();
  changed.interval = milliseconds(60'000);
  book_.set_rules(changed, now_);
  EXPECT_EQ(book_.next_due(), asked + milliseconds(1000)) << "as it was";
  round_where({});
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(60'000));
  now_ += milliseconds(1);
  changed.interval = milliseconds(200);
  book_.set_rules(changed, now_);
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(100));
  now_ += milliseconds(200);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(book_.start(now_)) << "both are due";
}

TEST_F(Checks, AskingLateLeavesNoBacklog) {
  want(1);
  now_ += milliseconds(60'000);
  const auto late = book_.start(now_);
  book_.finish(*late, {}, now_);
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(1000));
  now_ += milliseconds(1000);
  const auto slow = book_.start(now_);
  book_.finish(*slow, {}, now_ + milliseconds(3000));
  EXPECT_EQ(book_.next_due(), now_ + milliseconds(3000));
}

TEST_F(Checks, AForgottenChecksLateAnswerIsIgnored) {
  want(1);
  now_ += milliseconds(1000);
  const auto probe = book_.start(now_);
  book_.forget(floating(1));
  want(1);
  book_.finish(*probe, {ProbeResult::Kind::kFailed, "refused"}, now_);
  EXPECT_EQ(book_.suspects(), 0u);
  EXPECT_EQ(book_.size(), 1u);
}

TEST_F(Checks, AnotherTargetBeginsAnewTheSameOneDoesNot) {
  want(1);
  round_where({1});
  round_where({1});
  want(1);
  round_where({1});
  EXPECT_THAT(book_.take_changes(), ElementsAre(failure(1)));
  book_.want(floating(1), target(2), now_);
  EXPECT_EQ(book_.failing(), 0u);
  round_where({});
  round_where({});
  EXPECT_THAT(book_.take_changes(), ElementsAre(passing(1)));
}

TEST_F(Checks, WhatThisHostCouldNotAskSaysNothingOfTheInstance) {
  want(1);
  for (int i = 0; i < 5; ++i) {
    round([](const IpAddress&) {
      return ProbeResult{ProbeResult::Kind::kImpossible, "Too many open files"};
    });
  }
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  EXPECT_EQ(book_.impossible(), "Too many open files");
  round_where({});
  EXPECT_EQ(book_.impossible(), "");
}

TEST_F(Checks, NothingIsToldWhenMoreThanTheShareFailTogether) {
  for (unsigned n = 1; n <= 5; ++n) want(n);
  round_where({});
  round_where({});
  (void)book_.take_changes();
  for (int i = 0; i < 5; ++i) round_where({1, 2, 3});
  EXPECT_TRUE(book_.braking());
  EXPECT_EQ(book_.held(), 3u);
  EXPECT_THAT(book_.take_changes(), IsEmpty());
}

TEST_F(Checks, ASingleFailureIsToldHoweverFewChecksThereAre) {
  want(1);
  for (int i = 0; i < 3; ++i) round_where({1});
  EXPECT_FALSE(book_.braking());
  EXPECT_THAT(book_.take_changes(), ElementsAre(failure(1)));
}

TEST_F(Checks, AfterTheBrakeIsToldWhatStillFails) {
  for (unsigned n = 1; n <= 5; ++n) want(n);
  for (int i = 0; i < 4; ++i) round_where({1, 2, 3});
  (void)book_.take_changes();
  round_where({1, 2});
  EXPECT_FALSE(book_.braking());
  EXPECT_THAT(book_.take_changes(), IsEmpty()) << "these two were asked before the brake ended";
  round_where({1, 2});
  EXPECT_THAT(book_.take_changes(),
              testing::UnorderedElementsAre(passing(3), failure(1), failure(2)));
  EXPECT_EQ(book_.held(), 0u);
  for (int i = 0; i < 2; ++i) round_where({1, 3});
  EXPECT_THAT(book_.take_changes(), ElementsAre(passing(2)));
  round_where({1, 3});
  EXPECT_THAT(book_.take_changes(), ElementsAre(failure(3)));
}

TEST_F(Checks, WhatWasToldBeforeTheBrakeStaysToldAndMayRecoverUnderIt) {
  for (unsigned n = 1; n <= 5; ++n) want(n);
  for (int i = 0; i < 4; ++i) round_where({1});
  EXPECT_THAT(book_.take_changes(), testing::Contains(failure(1)));
  for (int i = 0; i < 3; ++i) round_where({1, 2, 3, 4});
  EXPECT_TRUE(book_.braking());
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  round_where({2, 3, 4});
  round_where({2, 3, 4});
  EXPECT_THAT(book_.take_changes(), ElementsAre(passing(1)));
}

TEST_F(Checks, ForgettingTheSuspectsEndsTheBrake) {
  for (unsigned n = 1; n <= 5; ++n) want(n);
  for (int i = 0; i < 4; ++i) round_where({1, 2, 3});
  (void)book_.take_changes();
  book_.forget(floating(3));
  EXPECT_FALSE(book_.braking());
  EXPECT_THAT(book_.take_changes(), IsEmpty());
  round_where({1, 2});
  EXPECT_THAT(book_.take_changes(), testing::UnorderedElementsAre(failure(1), failure(2)));
}

TEST_F(Crowd, NobodyIsToldFailingWhenAllComeBackOneAfterTheOther) {
  round_where({});
  EXPECT_FALSE(book_.braking());
  round_where({});
  expect_all_recovered();
}

TEST_F(Crowd, WhatWasUnderWayWhenTheBrakeEndedIsNotTold) {
  now_ += milliseconds(1300);
  std::vector<CheckBook::Probe> under_way;
  while (auto probe = book_.start(now_)) under_way.push_back(*probe);
  for (std::size_t i = 0; i < under_way.size(); ++i) {
    const ProbeResult late{ProbeResult::Kind::kFailed, "no answer"};
    book_.finish(under_way[i], i < 60 ? ProbeResult() : late, now_);
  }
  EXPECT_FALSE(book_.braking());
  round_where({});
  round_where({});
  expect_all_recovered();
}

}  // namespace
}  // namespace fipd::health
