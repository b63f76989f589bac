#include "nat/fake_nat_table.h"

#include <gtest/gtest.h>

#include "bytes.h"
#include "nat/fake_connections.h"

namespace fipd::nat {
namespace {

ElementChange change(const char* key, const char* before, const char* after) {
  ElementChange out{Map::kFixedByFloating, ip(key), std::nullopt, std::nullopt};
  if (before != nullptr) out.before = ip(before);
  if (after != nullptr) out.after = ip(after);
  return out;
}

class FakeNatTableTest : public ::testing::Test {
 protected:
  FakeNatTableTest() { (void)table_.ensure_ruleset({}); }
  FakeNatTable table_;
};

TEST_F(FakeNatTableTest, WritesDownOneEntryATransaction) {
  const std::vector pair{change("172.16.1.3", nullptr, "10.65.0.13"),
                         change("172.16.1.4", nullptr, "10.65.0.14")};
  ASSERT_TRUE(table_.commit(pair));
  ASSERT_EQ(table_.journal.size(), 2u);  // the ruleset first
  EXPECT_EQ(std::get<FakeNatTable::Transaction>(table_.journal[1]), pair);
  EXPECT_EQ(table_.ensure_ruleset({}), "");
  EXPECT_EQ(table_.journal.size(), 2u);
}

// Each of these was tried on the kernel: NftTableTest.RefusesAsTheFakeDoes.
TEST_F(FakeNatTableTest, RefusesAsTheKernelDoesAndAppliesNothing) {
  ASSERT_TRUE(table_.commit(std::vector{change("172.16.1.3", nullptr, "10.65.0.13")}));
  EXPECT_TRUE(table_.commit(std::vector{change("172.16.1.3", nullptr, "10.65.0.13")}));
  const auto refused = table_.commit(std::vector{change("172.16.1.4", nullptr, "10.65.0.14"),
                                                 change("172.16.1.3", nullptr, "10.65.0.99"),
                                                 change("172.16.1.9", "10.65.0.9", nullptr)});
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().refused.size(), 2u);
  EXPECT_EQ(refused.error().refused[0].index, 1u);
  EXPECT_EQ(refused.error().refused[0].error.os_error(), EEXIST);
  EXPECT_EQ(refused.error().refused[1].error.os_error(), ENOENT);
  EXPECT_EQ(table_.elements.size(), 1u);
}

TEST_F(FakeNatTableTest, BlamesNoChangeWhereTheTableIsGone) {
  table_.lose_table();
  const auto refused = table_.commit(std::vector{change("172.16.1.4", nullptr, "10.65.0.14")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.os_error(), ENOENT);
  EXPECT_TRUE(refused.error().refused.empty());
  EXPECT_TRUE(table_.dump()->empty());
}

TEST_F(FakeNatTableTest, HasOnlyTheMapsOfItsOptionsAndKeepsStickyOnes) {
  const std::vector<ElementChange> forward{
      {Map::kForwards, {ip("172.16.1.3"), 6, 443}, {}, Endpoint{ip("10.65.0.13"), 8443}}};
  EXPECT_FALSE(table_.commit(forward));
  RulesetOptions options;
  options.forwards = options.accounting = true;
  EXPECT_NE(*table_.ensure_ruleset(options), "");
  ASSERT_TRUE(table_.commit(forward));
  ASSERT_TRUE(table_.commit(
      std::vector<ElementChange>{{Map::kReceived, ip("172.16.1.3"), {}, Counter{1, 2}}}));
  EXPECT_EQ(*table_.counters(), (std::vector<Traffic>{{ip("172.16.1.3"), {1, 2}, {}}}));
  EXPECT_NE(*table_.ensure_ruleset({}), "") << "accounting is by configuration";
  EXPECT_EQ(*table_.ensure_ruleset({}), "");
  EXPECT_EQ(table_.elements.size(), 1u) << "forwards stay";
}

TEST_F(FakeNatTableTest, RefusesAScriptedKeyWithItsErrno) {
  table_.refusals[{Map::kFixedByFloating, ip("172.16.1.4")}] = ENFILE;
  const auto refused = table_.commit(std::vector{change("172.16.1.3", nullptr, "10.65.0.13"),
                                                 change("172.16.1.4", nullptr, "10.65.0.14")});
  ASSERT_FALSE(refused);
  ASSERT_EQ(refused.error().refused.size(), 1u);
  EXPECT_EQ(refused.error().refused[0].index, 1u);
  EXPECT_EQ(refused.error().refused[0].error.os_error(), ENFILE);
}

}  // namespace
}  // namespace fipd::nat
