#include "daemon/sources/etcd/etcd_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/sources/etcd/etcd_binding.h"

namespace fipd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kPrefix = "/fipd/v1/host/compute1/fip/";

std::string value(const std::string& floating, const std::string& more = "") {
  return R"({"floating":")" + floating + R"(","fixed":"10.65.0.13")" + more + "}";
}

EtcdPair pair(const std::string& id, const std::string& text, std::int64_t revision = 1) {
  return {kPrefix + id, text, revision};
}

class EtcdRecordsTest : public ::testing::Test {
 protected:
  ClaimChanges put(const std::string& id, const std::string& text, std::int64_t revision = 2) {
    return records_.apply({false, pair(id, text, revision)});
  }
  std::vector<EtcdPair> many(int count) {
    std::vector<EtcdPair> pairs;
    for (int i = 0; i < count; ++i) {
      pairs.push_back(pair(std::to_string(i), value("172.16.1." + std::to_string(i + 1))));
    }
    return pairs;
  }

  EtcdRecords records_{fipd_keys("/fipd/v1/", "compute1"), 2};
  HoldRule rule_;
};

TEST_F(EtcdRecordsTest, ClaimsWhatAKeySaysUnderItsId) {
  const ClaimChanges changes =
      put("8ab8", value("172.16.1.3", R"(,"interface":"tap9","primary":true)"), 7);
  ASSERT_THAT(changes.puts, SizeIs(1));
  const Claim& claim = changes.puts[0];
  EXPECT_EQ(claim.binding.floating, *parse_address("172.16.1.3"));
  EXPECT_EQ(claim.binding.interface, "tap9");
  EXPECT_TRUE(claim.binding.primary);
  EXPECT_EQ(claim.origin, "etcd:8ab8");
  EXPECT_EQ(claim.rank, 2U);
  EXPECT_EQ(claim.revision, 7U);
}

TEST_F(EtcdRecordsTest, LongIdsThatBeginAlikeAreTwoClaims) {
  const std::string long_id(300, 'a');
  put(long_id + "1", value("172.16.1.3"), 2);
  put(long_id + "2", value("172.16.1.3"), 3);
  const ClaimChanges gone = records_.apply({true, pair(long_id + "1", "", 4)});
  EXPECT_THAT(gone.removals, ElementsAre(ClaimChanges::Removal{*parse_address("172.16.1.3"),
                                                               "etcd:" + long_id + "1"}));
}

TEST_F(EtcdRecordsTest, RefusesAnIdThatCannotBeToldWhole) {
  for (const std::string& id : {std::string(385, 'a'), std::string("a\nb")}) {
    EXPECT_TRUE(put(id, value("172.16.1.3")).empty());
    ASSERT_THAT(records_.refused(), SizeIs(1));
    EXPECT_THAT(records_.refused()[0].reason, HasSubstr("its id is longer than 384 bytes"));
    EXPECT_LT(records_.refused()[0].source.size(), 80U);
    (void)records_.apply({true, pair(id, "", 3)});
  }
}

TEST_F(EtcdRecordsTest, SaysNothingOfAValueThatIsWrittenAgain) {
  ASSERT_FALSE(put("a", value("172.16.1.3"), 2).empty());
  EXPECT_TRUE(put("a", value("172.16.1.3"), 3).empty());
}

TEST_F(EtcdRecordsTest, RemovesTheOldAddressOfAnIdThatGetsAnother) {
  put("a", value("172.16.1.3"));
  const ClaimChanges changes = put("a", value("172.16.1.4"), 3);
  EXPECT_THAT(changes.removals,
              ElementsAre(ClaimChanges::Removal{*parse_address("172.16.1.3"), "etcd:a"}));
  EXPECT_THAT(changes.puts, SizeIs(1));
}

TEST_F(EtcdRecordsTest, KeepsWhatAKeySaidBeforeItsValueWentBad) {
  put("a", value("172.16.1.3"));
  EXPECT_TRUE(put("a", R"({"floating":"nonsense"})", 3).empty());
  ASSERT_THAT(records_.problems(), SizeIs(1));
  EXPECT_THAT(records_.problems()[0], HasSubstr("fip/a: "));
  EXPECT_THAT(records_.problems()[0], HasSubstr("'nonsense' is not an IP address"));
  EXPECT_EQ(records_.size(), 1U);
  put("a", value("172.16.1.5"), 4);
  EXPECT_THAT(records_.problems(), IsEmpty());
  // Back to what is in force: that is no bad value any more.
  put("a", "{", 5);
  put("a", value("172.16.1.5"), 6);
  EXPECT_THAT(records_.problems(), IsEmpty());
}

TEST_F(EtcdRecordsTest, OneBadValueHoldsUpNoOther) {
  const ClaimChanges changes =
      records_.load({pair("a", "{"), pair("b", value("172.16.1.4"))}, true, rule_);
  EXPECT_THAT(changes.puts, SizeIs(1));
  EXPECT_THAT(records_.problems(), SizeIs(1));
}

TEST_F(EtcdRecordsTest, ListsEachBadValueWithItsFloatingIpWhereThatCanBeRead) {
  put("b", value("172.16.1.4"));
  put("b", value("172.16.1.4", R"(,"role":"witness")"), 3);
  put("c", R"({"floating":"172.16.1.3"})", 4);
  put("d", "{", 5);
  const std::vector<RefusedWord> refused = records_.refused();
  ASSERT_THAT(refused, SizeIs(3));
  EXPECT_EQ(refused[0].floating, std::nullopt);
  EXPECT_EQ(refused[0].source, "etcd:d");
  EXPECT_THAT(refused[0].reason, HasSubstr("not JSON"));
  EXPECT_EQ(refused[1].floating, *parse_address("172.16.1.3"));
  EXPECT_THAT(refused[1].reason, HasSubstr("'fixed' is missing"));
  EXPECT_FALSE(refused[1].earlier_in_force);
  EXPECT_EQ(refused[2].floating, *parse_address("172.16.1.4"));
  EXPECT_THAT(refused[2].reason, HasSubstr("stays in force"));
  EXPECT_TRUE(refused[2].earlier_in_force);
  (void)records_.apply({true, pair("b", "", 6)});
  put("c", value("172.16.1.3"), 7);
  EXPECT_THAT(records_.refused(), SizeIs(1));
}

TEST_F(EtcdRecordsTest, ListsAThousandBadValuesAndTheNumberOfTheOthers) {
  for (int i = 0; i < 1003; ++i) put(std::to_string(i), "{");
  const std::vector<RefusedWord> refused = records_.refused();
  ASSERT_THAT(refused, SizeIs(1001));
  EXPECT_THAT(refused,
              Contains(AllOf(Field(&RefusedWord::source, "etcd"),
                             Field(&RefusedWord::reason, "and 3 more key(s) like these"))));
}

TEST_F(EtcdRecordsTest, IgnoresMembersThatANewerControllerWrites) {
  EXPECT_THAT(put("a", value("172.16.1.3", R"(,"comment":{"deep":[1]})")).puts, SizeIs(1));
}

TEST_F(EtcdRecordsTest, RefusesARoleThatItDoesNotKnow) {
  EXPECT_TRUE(put("a", value("172.16.1.3", R"(,"role":"witness")")).empty());
  EXPECT_THAT(records_.problems(), ElementsAre(HasSubstr("witness")));
}

TEST_F(EtcdRecordsTest, TellsWhichEndOfAMoveThisHostIs) {
  const auto role = [&](const std::string& more) {
    const ClaimChanges changes = put("a", value("172.16.1.3", more));
    return changes.puts.empty() ? std::nullopt : std::optional(changes.puts[0].role);
  };
  EXPECT_EQ(role(R"(,"role":"target","peer":"compute1")"), Claim::Role::kTarget);
  EXPECT_EQ(role(R"(,"role":"source","peer":"compute2")"), Claim::Role::kServing);
  EXPECT_EQ(role(R"(,"role":"leaving","peer":"compute2")"), Claim::Role::kLeaving);
  EXPECT_EQ(role(""), Claim::Role::kServing);
}

TEST_F(EtcdRecordsTest, RemovesWhatATrustedSnapshotLacks) {
  ASSERT_TRUE(records_.load(many(20), true, rule_).removals.empty());
  const ClaimChanges changes = records_.load(many(15), true, rule_);
  EXPECT_THAT(changes.removals, SizeIs(5));
  EXPECT_EQ(records_.size(), 15U);
}

TEST_F(EtcdRecordsTest, RemovesNothingThatAnUntrustedSnapshotLacks) {
  (void)records_.load(many(3), true, rule_);
  EXPECT_TRUE(records_.load(many(2), false, rule_).removals.empty());
  EXPECT_EQ(records_.held(), 1U);
  EXPECT_EQ(records_.size(), 3U);
  // The same, but to be trusted.
  EXPECT_THAT(records_.load(many(2), true, rule_).removals, SizeIs(1));
  EXPECT_EQ(records_.held(), 0U);
}

TEST_F(EtcdRecordsTest, HoldsAMassRemovalUntilItIsAccepted) {
  (void)records_.load(many(40), true, rule_);
  EXPECT_TRUE(records_.load(many(10), true, rule_).removals.empty());
  EXPECT_EQ(records_.held(), 30U);
  // One of them is written again, and one deleted by a word of its own.
  put("20", value("172.16.1.21"), 9);
  EXPECT_THAT(records_.apply({true, pair("21", "", 9)}).removals, SizeIs(1));
  EXPECT_EQ(records_.held(), 28U);
  EXPECT_THAT(records_.accept().removals, SizeIs(28));
  EXPECT_EQ(records_.size(), 11U);
}

TEST_F(EtcdRecordsTest, WhatComesInThePlaceOfSomethingFindsRoomAtTheLimit) {
  records_.set_limit(2);
  (void)records_.load(many(2), true, rule_);
  const ClaimChanges swapped = records_.load(
      {pair("1", value("172.16.1.2")), pair("new", value("172.16.1.9"))}, true, rule_);
  EXPECT_THAT(swapped.puts, SizeIs(1));
  EXPECT_THAT(swapped.removals, SizeIs(1));
  EXPECT_THAT(records_.problems(), IsEmpty());
}

TEST_F(EtcdRecordsTest, TellsWhenSomethingGoesThatAKeyBeyondTheLimitMayHaveTheRoomOf) {
  records_.set_limit(2);
  put("a", value("172.16.1.1")), put("b", value("172.16.1.2"));
  EXPECT_THAT(records_.apply({true, pair("b", "", 3)}).removals, SizeIs(1));
  EXPECT_FALSE(records_.has_room()) << "nobody waits for it";
  put("b", value("172.16.1.2"), 4), put("c", value("172.16.1.3"), 5);
  EXPECT_THAT(records_.problems(), ElementsAre(HasSubstr("raise limits.floating_ips")));
  EXPECT_FALSE(records_.has_room());
  (void)records_.apply({true, pair("a", "", 6)});
  EXPECT_TRUE(records_.has_room());
  (void)records_.load({pair("b", value("172.16.1.2")), pair("c", value("172.16.1.3"))}, true,
                      rule_);
  EXPECT_FALSE(records_.has_room());
  EXPECT_EQ(records_.size(), 2U);
}

TEST_F(EtcdRecordsTest, ADeletedKeyOfWhichNothingWasTakenIsNoRemoval) {
  put("a", "rubbish");
  EXPECT_TRUE(records_.apply({true, pair("a", "", 3)}).empty());
  EXPECT_THAT(records_.problems(), IsEmpty());
}

TEST_F(EtcdRecordsTest, GivesBackForTheStoreWhatItWasGiven) {
  const std::vector<EtcdPair> given = many(3);
  (void)records_.load(given, true, rule_);
  EXPECT_EQ(records_.pairs(), given);
}

class SettlingRecordsTest : public EtcdRecordsTest {
 protected:
  using Clock = EtcdRecords::Clock;
  using seconds = std::chrono::seconds;

  void SetUp() override {
    records_ = EtcdRecords(fipd_keys("/fipd/v1/", "compute1"), 2, seconds(2));
    put("a", value("172.16.1.3"));
  }
  ClaimChanges remove(const std::string& id, seconds at) {
    return records_.apply({true, pair(id, "", 9)}, Clock::time_point(at));
  }
  ClaimChanges settled(seconds at) {
    gone_.clear();
    return records_.settled(Clock::time_point(at), gone_);
  }

  std::vector<std::string> gone_;
};

TEST_F(SettlingRecordsTest, ARemovedKeyCountsUntilItsTimeIsOver) {
  EXPECT_TRUE(remove("a", seconds(10)).empty());
  EXPECT_EQ(records_.due(), Clock::time_point(seconds(12)));
  EXPECT_TRUE(settled(seconds(11)).empty());
  EXPECT_THAT(settled(seconds(12)).removals, SizeIs(1));
  EXPECT_THAT(gone_, ElementsAre(kPrefix + "a"));
  EXPECT_EQ(records_.due(), std::nullopt);
  EXPECT_EQ(records_.size(), 0U);
}

TEST_F(SettlingRecordsTest, AKeyThatIsPutBackInTimeWasNeverAway) {
  remove("a", seconds(10));
  EXPECT_TRUE(put("a", value("172.16.1.3"), 10).empty());
  EXPECT_TRUE(settled(seconds(20)).empty());
  EXPECT_EQ(records_.size(), 1U);
}

TEST_F(SettlingRecordsTest, TheTimeOfAKeyThatIsRemovedAgainBeginsAnew) {
  remove("a", seconds(10));
  put("a", value("172.16.1.3"), 10);
  remove("a", seconds(11));
  EXPECT_TRUE(settled(seconds(12)).empty());
  EXPECT_THAT(settled(seconds(13)).removals, SizeIs(1));
}

TEST_F(SettlingRecordsTest, AKeyThatASnapshotLacksHasItsTimeToo) {
  EXPECT_TRUE(records_.load({}, true, rule_, Clock::time_point(seconds(10))).empty());
  EXPECT_EQ(records_.held(), 0U);
  // Read again meanwhile: its time goes on.
  EXPECT_TRUE(records_.load({}, true, rule_, Clock::time_point(seconds(11))).empty());
  EXPECT_THAT(settled(seconds(12)).removals, SizeIs(1));
}

TEST(EtcdKey, EscapesAsTheControllerDoes) {
  EXPECT_EQ(escaped("compute-1.example_org~"), "compute-1.example_org~");
  EXPECT_EQ(escaped("rack 1/node \xc3\xa9"), "rack%201%2Fnode%20%C3%A9");
}

}  // namespace
}  // namespace fipd
