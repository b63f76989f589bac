#include "daemon/sources/etcd/calico_migration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/sources/etcd/calico_endpoint.h"
#include "daemon/sources/etcd/etcd_records.h"
#include "tests/unit/etcd/calico_words.h"

namespace fipd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Role = Claim::Role;

const std::string kHost = "rack1-c1";

class CalicoMigrationTest : public ::testing::Test {
 protected:
  ClaimChanges put(const std::string& key, const std::string& value) {
    return records_.apply({false, {key, value, ++revision_}}, now_);
  }
  ClaimChanges remove(const std::string& key) {
    return records_.apply({true, {key, "", ++revision_}}, now_);
  }
  ClaimChanges later() {
    now_ += std::chrono::seconds(2);
    return records_.settled(now_, gone_);
  }
  static std::vector<Role> roles(const ClaimChanges& changes) {
    std::vector<Role> all;
    for (const Claim& each : changes.puts) all.push_back(each.role);
    return all;
  }

  EtcdKeys keys_ = calico_keys("", kHost);
  const std::string endpoint_ = keys_.prefix + "9a7e0868--da-8ab8";
  const std::string here_ = keys_.parts_prefix + "rack1--c1-openstack-9a7e0868--da-8ab8";
  const std::string away_ = keys_.parts_prefix + "c2-openstack-9a7e0868--da-8ab8";
  EtcdRecords records_{keys_, 3, std::chrono::seconds(2)};
  EtcdRecords::Clock::time_point now_{};
  std::int64_t revision_ = 0;
  std::vector<std::string> gone_;
};

TEST_F(CalicoMigrationTest, NamesTheEndpointOfThisHostAndItsPart) {
  const auto target = keys_.decode(here_, migration("c2", kHost));
  ASSERT_TRUE(target) << target.error().message();
  EXPECT_THAT(target->parts, ElementsAre(EtcdWord::Part{endpoint_, Role::kTarget, "c2"}));
  const auto source = keys_.decode(away_, migration(kHost, "c2"));
  ASSERT_TRUE(source) << source.error().message();
  EXPECT_THAT(source->parts, ElementsAre(EtcdWord::Part{endpoint_, Role::kLeaving, "c2"}));
}

TEST_F(CalicoMigrationTest, OtherHostsMigrationsAreNobodysPart) {
  const auto word = keys_.decode(away_, migration("c3", "c2"));
  ASSERT_TRUE(word);
  EXPECT_EQ(*word, EtcdWord());
}

TEST_F(CalicoMigrationTest, WhatIsNoMigrationIsNamedAndChangesNothing) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  for (const char* bad : {"", "[]", "{}", R"({"spec":{}})", R"({"spec":{"source":1,"target":2}})",
                          R"({"spec":{"source":{"workloadEndpoint":{"hostname":"c2"}}}})"}) {
    EXPECT_TRUE(put(here_, bad).empty()) << bad;
    ASSERT_THAT(records_.problems(), SizeIs(1)) << bad;
    EXPECT_THAT(records_.problems()[0], HasSubstr("LiveMigration openstack/rack1--c1-openstack-"));
  }
  EXPECT_THAT(put(here_, migration(kHost, kHost)).puts, IsEmpty());
  EXPECT_THAT(records_.problems()[0], HasSubstr("the same host"));
  ASSERT_THAT(records_.refused(), SizeIs(1));
  EXPECT_THAT(records_.refused()[0].source, HasSubstr("calico:LiveMigration openstack/rack1--c1"));
}

TEST_F(CalicoMigrationTest, AnEndpointThatComesAfterItsMigrationIsOnlyPrepared) {
  EXPECT_TRUE(put(here_, migration("c2", kHost)).empty());
  const ClaimChanges changes = put(endpoint_, endpoint("172.16.1.3"));
  EXPECT_THAT(roles(changes), ElementsAre(Role::kTarget));
  EXPECT_EQ(changes.puts[0].peer, "c2");
  EXPECT_THAT(roles(put(endpoint_, endpoint("172.16.1.4"))), ElementsAre(Role::kTarget))
      << "a changed endpoint keeps its part";
}

TEST_F(CalicoMigrationTest, TheEndOfTheMigrationMakesItServed) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  EXPECT_TRUE(remove(here_).empty()) << "perhaps the endpoint goes, too";
  EXPECT_THAT(roles(later()), ElementsAre(Role::kServing));
}

TEST_F(CalicoMigrationTest, AFailedMigrationsTargetIsNeverServedWhateverGoesFirst) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  remove(here_);
  remove(endpoint_);
  const ClaimChanges changes = later();
  EXPECT_THAT(changes.puts, IsEmpty());
  EXPECT_THAT(changes.removals, SizeIs(1));
}

TEST_F(CalicoMigrationTest, ATargetThatIsAwayWhenItsMigrationHasEndedIsServedWhenItIsPutBack) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  remove(here_);
  now_ += std::chrono::seconds(1);
  remove(endpoint_);
  now_ += std::chrono::seconds(1);
  EXPECT_TRUE(records_.settled(now_, gone_).empty()) << "not while it may go as well";
  EXPECT_THAT(roles(put(endpoint_, endpoint("172.16.1.3"))), ElementsAre(Role::kServing));
  EXPECT_TRUE(later().empty());
}

TEST_F(CalicoMigrationTest, TheEndOfOneMigrationTakesNothingBackOfTheNext) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  remove(here_);
  const ClaimChanges next = put(away_, migration(kHost, "c2"));
  EXPECT_THAT(roles(next), ElementsAre(Role::kLeaving));
  EXPECT_THAT(roles(later()), ElementsAre(Role::kLeaving));
}

TEST_F(CalicoMigrationTest, TheSourceLeavesAndServesAgainWhereItFails) {
  EXPECT_THAT(roles(put(endpoint_, endpoint("172.16.1.3"))), ElementsAre(Role::kServing));
  EXPECT_THAT(roles(put(away_, migration(kHost, "c2"))), ElementsAre(Role::kLeaving));
  remove(away_);
  EXPECT_THAT(roles(later()), ElementsAre(Role::kServing));
}

TEST_F(CalicoMigrationTest, AMigrationThatASnapshotLacksHasEnded) {
  for (const auto settle : {std::chrono::seconds(0), std::chrono::seconds(2)}) {
    records_ = EtcdRecords(keys_, 3, settle);
    put(here_, migration("c2", kHost));
    put(endpoint_, endpoint("172.16.1.3"));
    const std::vector<EtcdPair> left{{endpoint_, endpoint("172.16.1.3"), revision_}};
    const ClaimChanges changes = records_.load(left, true, {}, now_);
    EXPECT_THAT(roles(settle.count() > 0 ? later() : changes), ElementsAre(Role::kServing));
  }
}

TEST_F(CalicoMigrationTest, TheSnapshotRemembersParts) {
  put(here_, migration("c2", kHost));
  put(endpoint_, endpoint("172.16.1.3"));
  EtcdRecords again(keys_, 3);
  EXPECT_THAT(roles(again.load(records_.pairs(), false, {})), ElementsAre(Role::kTarget));
}

}  // namespace
}  // namespace fipd
