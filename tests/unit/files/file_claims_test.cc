#include "daemon/sources/file_claims.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

IpAddress floating(unsigned n) { return boost::asio::ip::make_address_v4(0xac100000U + n); }

Binding binding(unsigned n, unsigned fixed = 1) {
  Binding out;
  out.floating = floating(n);
  out.fixed = boost::asio::ip::make_address_v4(0x0a000000U + fixed);
  return out;
}

FileContent range(unsigned from, unsigned to) {
  std::vector<Binding> out;
  for (unsigned n = from; n < to; ++n) out.push_back(binding(n));
  return std::make_shared<const std::vector<Binding>>(std::move(out));
}

class FileClaimsTest : public ::testing::Test {
 protected:
  FileChanges update(std::vector<FileUpdate> updates) {
    FileChanges changes = claims_.update(updates, rule_);
    for (const Claim& claim : changes.puts)
      in_force_.insert({claim.binding.floating, claim.origin});
    for (const auto& gone : changes.removals) drop(gone);
    return changes;
  }
  std::size_t accept() {
    const ClaimChanges changes = claims_.accept();
    for (const auto& gone : changes.removals) drop(gone);
    return changes.removals.size();
  }
  void drop(const ClaimChanges::Removal& gone) {
    EXPECT_EQ(in_force_.erase({gone.floating, gone.origin}), 1U) << gone.floating;
  }
  void TearDown() override { EXPECT_EQ(claims_.size(), in_force_.size()); }

  HoldRule rule_;
  FileClaims claims_{1, 1000};
  std::set<std::pair<IpAddress, std::string>> in_force_;
};

TEST_F(FileClaimsTest, TellsOnlyWhatChanged) {
  update({{"a", range(0, 20), 5}});
  const auto again = update({{"a", range(0, 20), 6}});
  EXPECT_TRUE(again.puts.empty() && again.removals.empty());
  auto moved = *range(1, 21);
  moved[3] = binding(4, 99);
  const auto changes = update({{"a", std::make_shared<const std::vector<Binding>>(moved), 7}});
  ASSERT_EQ(changes.puts.size(), 2U);
  EXPECT_EQ(changes.puts[0], (Claim{binding(4, 99), 1, 7, "files:a"}));
  EXPECT_EQ(changes.puts[1].binding.floating, floating(20));
  ASSERT_EQ(changes.removals.size(), 1U);
  EXPECT_EQ(changes.removals[0].floating, floating(0));
}

TEST_F(FileClaimsTest, AFileThatIsWrittenAgainIsTheNewerOfTwo) {
  update({{"a", range(0, 2), 5}});
  update({{"b", range(1, 3), 6}});
  const auto again = update({{"a", range(0, 2), 7}});
  EXPECT_THAT(again.puts, ::testing::ElementsAre(Claim{binding(1), 1, 7, "files:a"}));
}

TEST_F(FileClaimsTest, AFileThatWasWrittenAgainWhileAloneIsAsNewAsItIs) {
  update({{"a", range(0, 2), 5}});
  update({{"a", range(0, 2), 8}});
  // As after a restart, which sees a's 8 before b's 6.
  const auto second = update({{"b", range(1, 3), 6}});
  EXPECT_THAT(second.puts, ::testing::UnorderedElementsAre(Claim{binding(1), 1, 8, "files:a"},
                                                           Claim{binding(1), 1, 6, "files:b"},
                                                           Claim{binding(2), 1, 6, "files:b"}));
  // Who of the two was last has gone since.
  update({{"b", range(2, 3), 6}});
  update({{"a", range(0, 2), 9}});
  EXPECT_THAT(update({{"c", range(1, 2), 7}}).puts,
              ::testing::UnorderedElementsAre(Claim{binding(1), 1, 9, "files:a"},
                                              Claim{binding(1), 1, 7, "files:c"}));
}

TEST_F(FileClaimsTest, RemovesAFewAtOnceAndHoldsMany) {
  update({{"a", range(0, 20), 1}});
  EXPECT_EQ(update({{"a", range(10, 20), 2}}).removals.size(), 10U);  // half, and ten
  update({{"a", range(0, 22), 3}});
  EXPECT_EQ(update({{"a", range(12, 22), 4}}).removals.size(), 0U);
  EXPECT_EQ(claims_.held(), 12U);
  EXPECT_EQ(accept(), 12U);
  EXPECT_EQ(claims_.held(), 0U);
  EXPECT_EQ(accept(), 0U);
}

TEST_F(FileClaimsTest, AppliesAddsAndChangesWhileRemovalsAreHeld) {
  update({{"a", range(0, 100), 1}});
  const auto changes = update({{"a", range(90, 110), 2}});
  EXPECT_EQ(changes.puts.size(), 10U);
  EXPECT_EQ(claims_.held(), 90U);
  // More claims than the removal's share would allow: what is held stays held.
  update({{"b", range(200, 900), 3}});
  EXPECT_EQ(claims_.held(), 90U);
}

TEST_F(FileClaimsTest, LetsGoWhenTheFileIsBack) {
  update({{"a", range(0, 100), 1}});
  update({{"a", nullptr, 0}});
  EXPECT_EQ(claims_.held(), 100U);
  const auto back = update({{"a", range(0, 100), 2}});
  EXPECT_TRUE(back.puts.empty() && back.removals.empty());
  EXPECT_EQ(claims_.held(), 0U);
}

TEST_F(FileClaimsTest, RemovesWhatStaysAwayWhenMostIsBack) {
  update({{"a", range(0, 100), 1}});
  update({{"a", range(0, 10), 2}});
  EXPECT_EQ(claims_.held(), 90U);
  EXPECT_EQ(update({{"a", range(0, 95), 3}}).removals.size(), 5U);
  EXPECT_EQ(claims_.held(), 0U);
}

TEST_F(FileClaimsTest, TakesAMoveBetweenFilesForNoRemoval) {
  update({{"a", range(0, 100), 1}});
  const auto moved = update({{"a", nullptr, 0}, {"b", range(0, 100), 1}});
  EXPECT_EQ(moved.puts.size(), 100U);
  EXPECT_EQ(moved.removals.size(), 100U);
  EXPECT_EQ(claims_.held(), 0U);
}

TEST_F(FileClaimsTest, HoldsEverythingAfterItsDirectoryWasAway) {
  update({{"a", range(0, 3), 1}});
  claims_.distrust();
  EXPECT_EQ(update({{"a", nullptr, 0}}).removals.size(), 0U);
  EXPECT_EQ(claims_.held(), 3U);
  update({{"a", range(0, 2), 2}});
  EXPECT_EQ(claims_.held(), 1U);
  EXPECT_EQ(accept(), 1U);
}

TEST_F(FileClaimsTest, KeepsTheOldContentOfAFileThatIsTooMuch) {
  update({{"a", range(0, 600), 1}, {"b", range(600, 900), 1}});
  const auto refused = update({{"b", range(600, 1001), 2}});
  EXPECT_THAT(refused.too_large, ::testing::ElementsAre("b"));
  EXPECT_EQ(claims_.size(), 900U);
  EXPECT_TRUE(update({{"b", range(600, 1000), 2}}).too_large.empty());
}

TEST_F(FileClaimsTest, TakesWhatDoesNotGrowUnderALimitThatIsLowerByNow) {
  update({{"a", range(0, 20), 1}, {"b", range(20, 30), 1}});
  claims_.set_limit(10);
  EXPECT_TRUE(update({{"a", range(0, 15), 2}}).too_large.empty());
  EXPECT_TRUE(update({{"a", nullptr, 0}}).too_large.empty());
  EXPECT_TRUE(update({{"b", range(21, 31), 2}}).too_large.empty());
  EXPECT_THAT(update({{"b", range(20, 31), 3}}).too_large, ::testing::ElementsAre("b"));
  accept();
}

TEST_F(FileClaimsTest, FollowsTheRuleThatIsInForceNow) {
  update({{"a", range(0, 100), 1}});
  update({{"a", nullptr, 0}});
  EXPECT_EQ(claims_.held(), 100U);
  rule_.share = 1.0;
  EXPECT_EQ(update({}).removals.size(), 100U);
}

}  // namespace
}  // namespace fipd
