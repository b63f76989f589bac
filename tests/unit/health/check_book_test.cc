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

TEST_F(Checks, TheEndOfTheBrakeTellsWhatStillFails) {
  for (unsigned n = 1; n <= 5; ++n) want(n);
  for (int i = 0; i < 4; ++i) round_where({1, 2, 3});
  (void)book_.take_changes();
  round_where({1, 2});
  EXPECT_FALSE(book_.braking());
  EXPECT_THAT(book_.take_changes(), testing::UnorderedElementsAre(failure(1), failure(2)));
  EXPECT_EQ(book_.held(), 1u) << "the third has answered once, and is believed at the second time";
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
  EXPECT_THAT(book_.take_changes(), testing::UnorderedElementsAre(failure(1), failure(2)));
}

}  // namespace
}  // namespace fipd::health
