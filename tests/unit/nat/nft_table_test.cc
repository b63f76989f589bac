#include "nat/nft_table.h"

#include <algorithm>
#include <cerrno>

#include "kernel_fixture.h"

namespace fipd::nat {
namespace {

class NftTableTest : public NftTableFixture {
 protected:
  void SetUp() override {
    NftTableFixture::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(ensure(), "the table is missing");
    (void)commits();
  }
  static bool has(const std::vector<Element>& all, const Element& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  }
};

TEST_F(NftTableTest, WritesAllMapsInOneTransactionAsNftReadsThem) {
  options_.snat = SnatMode::kHairpin;
  (void)ensure();
  (void)commits();
  const std::vector<ElementChange> changes{
      change(Map::kFixedByFloating, "172.16.1.3", nullptr, "10.65.0.13"),
      change(Map::kFloatingByFixed, "10.65.0.13", nullptr, "172.16.1.3"),
      {Map::kHairpin, ip("10.65.0.13"), {}, Value()},
      change(Map::kFixedByFloating, "2001:db8::3", nullptr, "fd65::13"),
      change(Map::kFloatingByFixed, "fd65::13", nullptr, "2001:db8::3"),
      {Map::kHairpin, ip("fd65::13"), {}, Value()}};
  ASSERT_TRUE(table_->commit(changes));
  EXPECT_EQ(commits(), 1u);
  const std::string listed = shell("nft list table inet fipd");
  for (const char* element :
       {"172.16.1.3 : 10.65.0.13", "10.65.0.13 : 172.16.1.3", "2001:db8::3 : fd65::13",
        "10.65.0.13 . 10.65.0.13", "fd65::13 . fd65::13"}) {
    EXPECT_NE(listed.find(element), std::string::npos) << listed;
  }
  const auto read = table_->dump();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), changes.size());
  for (const auto& one : changes) EXPECT_TRUE(has(*read, {one.map, one.key, *one.after}));
}

TEST_F(NftTableTest, ChangesAndRemovesInOneTransaction) {
  ASSERT_TRUE(table_->commit(pairs(2)));
  (void)commits();
  ASSERT_TRUE(table_->commit(
      std::vector{change(Map::kFixedByFloating, "172.16.0.0", "10.65.0.0", "10.65.0.99"),
                  change(Map::kFloatingByFixed, "10.65.0.0", "172.16.0.0", nullptr),
                  change(Map::kFloatingByFixed, "10.65.0.99", nullptr, "172.16.0.0")}));
  EXPECT_EQ(commits(), 1u);
  const auto read = *table_->dump();
  EXPECT_EQ(read.size(), 4u);
  EXPECT_TRUE(has(read, {Map::kFixedByFloating, ip("172.16.0.0"), ip("10.65.0.99")}));
  EXPECT_FALSE(has(read, {Map::kFloatingByFixed, ip("10.65.0.0"), ip("172.16.0.0")}));
}

// The semantics that FakeNatTable promises to have from the kernel.
TEST_F(NftTableTest, RefusesAsTheFakeDoes) {
  const auto add = [](const char* key, const char* value) {
    return change(Map::kFixedByFloating, key, nullptr, value);
  };
  ASSERT_TRUE(table_->commit(std::vector{add("172.16.1.3", "10.65.0.13")}));
  EXPECT_TRUE(table_->commit(std::vector{add("172.16.1.3", "10.65.0.13")}));
  const auto refused = table_->commit(
      std::vector{add("172.16.1.4", "10.65.0.14"), add("172.16.1.3", "10.65.0.99"),
                  change(Map::kFixedByFloating, "172.16.1.9", "10.65.0.9", nullptr)});
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().refused.size(), 2u);
  EXPECT_EQ(refused.error().refused[0].index, 1u);
  EXPECT_EQ(refused.error().refused[0].error.os_error(), EEXIST);
  EXPECT_EQ(refused.error().refused[0].error.message(),
            "fixed_by_floating: 172.16.1.3 : 10.65.0.99: File exists");
  EXPECT_EQ(refused.error().refused[1].index, 2u);
  EXPECT_EQ(refused.error().refused[1].error.os_error(), ENOENT);
  EXPECT_EQ(table_->dump()->size(), 1u);
}

TEST_F(NftTableTest, NamesTheOneChangeAmongAThousandThatTheKernelRefuses) {
  by_hand("add element inet fipd fixed_by_floating { 172.16.1.244 : 192.0.2.1 }");
  const auto changes = pairs(1000);
  const auto refused = table_->commit(changes);
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().refused.size(), 1u);
  EXPECT_EQ(changes[refused.error().refused[0].index].key.address, ip("172.16.1.244"));
  EXPECT_EQ(refused.error().error.os_error(), EEXIST);
  EXPECT_EQ(table_->dump()->size(), 1u);
}

TEST_F(NftTableTest, NamesTheRefusedWhereEachMapHasTwoChanges) {
  ASSERT_TRUE(table_->commit(pairs(2)));
  const auto refused = table_->commit(
      std::vector{change(Map::kFixedByFloating, "172.16.0.0", "10.65.0.0", "10.65.0.9"),
                  change(Map::kFixedByFloating, "172.16.0.7", "10.65.0.7", "10.65.0.9")});
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().refused.size(), 1u);
  EXPECT_EQ(refused.error().refused[0].index, 1u);
}

TEST_F(NftTableTest, HearsAHundredThousandRefusalsInOneAnswer) {
  const auto changes = pairs(50000);
  ASSERT_TRUE(table_->commit(changes));
  auto other = changes;
  for (auto& one : other) one.after = ip("192.0.2.1");
  const auto refused = table_->commit(other);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().refused.size(), other.size()) << refused.error().error.message();
}

TEST_F(NftTableTest, LoadsAHundredThousandPairsInOneTransaction) {
  const auto changes = pairs(100000);
  ASSERT_TRUE(table_->commit(changes));
  EXPECT_EQ(table_->dump()->size(), 200000u);
  auto gone = changes;
  for (auto& one : gone) std::swap(one.before, one.after);
  ASSERT_TRUE(table_->commit(gone));
  EXPECT_TRUE(table_->dump()->empty());
}

TEST_F(NftTableTest, BlamesNoChangeWhereTheTableIsGone) {
  ASSERT_TRUE(table_->commit(pairs(1)));
  by_hand("flush ruleset");
  EXPECT_TRUE(table_->dump()->empty());
  for (auto changes : {pairs(1), pairs(1000)}) {
    auto refused = table_->commit(changes);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().error.os_error(), ENOENT);
    EXPECT_TRUE(refused.error().refused.empty());
    // A delete of an absent key has the same errno.
    for (auto& one : changes) std::swap(one.before, one.after);
    refused = table_->commit(changes);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().refused.empty());
  }
  EXPECT_EQ(ensure(), "the table is missing");
  EXPECT_TRUE(table_->commit(pairs(1000)));
}

TEST_F(NftTableTest, CommitsNothingForNothing) {
  EXPECT_TRUE(table_->commit({}));
  EXPECT_EQ(commits(), 0u);
}

TEST_F(NftTableTest, TakesForeignElementsOutOfTheWayOfItsDump) {
  options_.snat = SnatMode::kHairpin;
  (void)ensure();
  by_hand("add element inet fipd hairpin { 10.65.0.1 . 10.65.0.2 }");
  EXPECT_TRUE(table_->dump()->empty());
}

}  // namespace
}  // namespace fipd::nat
