#include <nftables/libnftables.h>

#include <algorithm>
#include <memory>

#include "kernel_fixture.h"
#include "nat/ruleset.h"
#include "nat/ruleset_state.h"

namespace fipd::nat {
namespace {

class RulesetRepairTest : public NftTableFixture {
 protected:
  // An association that must outlive every repair.
  void SetUp() override {
    NftTableFixture::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(ensure(), "the table is missing");
    ASSERT_TRUE(table_->commit(pairs(1)));
    (void)commits();
  }
  // Finds `words`, writes once, and is content with what it reads then.
  void expect_repaired(const std::string& words, std::size_t elements = 2) {
    (void)commits();
    EXPECT_EQ(ensure(), words);
    EXPECT_EQ(commits(), 1u);
    EXPECT_EQ(ensure(), "");
    EXPECT_EQ(commits(), 0u);
    EXPECT_EQ(table_->dump()->size(), elements);
  }
};

TEST_F(NftTableFixture, WritesNothingTheSecondTime) {
  EXPECT_EQ(ensure(), "the table is missing");
  EXPECT_EQ(commits(), 1u);
  EXPECT_EQ(ensure(), "");
  // As after a restart: nothing is remembered.
  auto again = NftTable::open("fipd");
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->ensure_ruleset(options_).value_or("failed"), "");
  EXPECT_EQ(commits(), 0u);
}

TEST_F(RulesetRepairTest, AFlushedRuleset) {
  by_hand("flush ruleset");
  expect_repaired("the table is missing", 0);
}

TEST_F(RulesetRepairTest, AnEmptyTableMadeByHand) {
  by_hand("delete table inet fipd; add table inet fipd");
  EXPECT_NE(ensure().find("chain prerouting is missing; chain output is missing"),
            std::string::npos);
  EXPECT_EQ(ensure(), "");
}

TEST_F(RulesetRepairTest, AMissingChain) {
  by_hand("flush chain inet fipd postrouting; delete chain inet fipd postrouting");
  expect_repaired("chain postrouting is missing");
}

TEST_F(RulesetRepairTest, AForeignChainThatOurRulesJumpTo) {
  by_hand(
      "add chain inet fipd stranger; add rule inet fipd stranger drop; insert rule inet fipd "
      "prerouting jump stranger");
  expect_repaired("chain prerouting has 3 rules instead of 2; chain stranger is not fipd's");
}

TEST_F(RulesetRepairTest, AForeignVerdictMapThatHoldsAForeignChain) {
  by_hand(
      "add chain inet fipd stranger; add map inet fipd verdicts { type ipv4_addr : verdict; }; add "
      "element inet fipd verdicts { 10.0.0.1 : jump stranger }; add rule inet fipd output ip daddr "
      "vmap @verdicts");
  expect_repaired(
      "chain output has 3 rules instead of 2; chain stranger is not fipd's; map verdicts is not "
      "fipd's");
}

TEST_F(RulesetRepairTest, ARuleWithAnAnonymousSet) {
  by_hand("add rule inet fipd output ip daddr { 10.0.0.1, 10.0.0.2 } accept");
  expect_repaired("chain output has 3 rules instead of 2");
}

TEST_F(RulesetRepairTest, AChainAtAnotherPriority) {
  by_hand(
      "flush chain inet fipd output; delete chain inet fipd output; add chain inet fipd output { "
      "type nat hook output priority 7; }; add rule inet fipd output dnat ip to ip daddr map "
      "@fixed_by_floating; add rule inet fipd output dnat ip6 to ip6 daddr map "
      "@fixed_by_floating6");
  expect_repaired("chain output is at the wrong hook (priority 7 instead of -110)");
}

TEST_F(RulesetRepairTest, AChainThatDrops) {
  by_hand("add chain inet fipd output { policy drop; }");
  expect_repaired("chain output has the wrong policy");
}

TEST_F(RulesetRepairTest, ARuleInFrontOfOurs) {
  by_hand("insert rule inet fipd prerouting ip daddr 172.16.0.0 drop");
  expect_repaired("chain prerouting has 3 rules instead of 2");
}

TEST_F(RulesetRepairTest, RulesInAnotherOrder) {
  by_hand(
      "flush chain inet fipd prerouting; add rule inet fipd prerouting dnat ip6 to ip6 daddr map "
      "@fixed_by_floating6; add rule inet fipd prerouting dnat ip to ip daddr map "
      "@fixed_by_floating");
  expect_repaired("chain prerouting: rule 1 is not as it should be");
}

TEST_F(RulesetRepairTest, AChangedRule) {
  by_hand(
      "flush chain inet fipd prerouting; add rule inet fipd prerouting dnat ip to ip daddr map "
      "@fixed_by_floating; add rule inet fipd prerouting dnat ip6 to ip6 saddr map "
      "@fixed_by_floating6");
  expect_repaired("chain prerouting: rule 2 is not as it should be");
}

TEST_F(RulesetRepairTest, ATranslationWithFlagsOfItsOwn) {
  by_hand(
      "flush chain inet fipd output; add rule inet fipd output dnat ip to ip daddr map "
      "@fixed_by_floating random; add rule inet fipd output dnat ip6 to ip6 daddr map "
      "@fixed_by_floating6");
  expect_repaired("chain output: rule 1 is not as it should be");
}

TEST_F(RulesetRepairTest, AMissingMap) {
  by_hand("flush chain inet fipd postrouting; delete map inet fipd floating_by_fixed6");
  expect_repaired("chain postrouting has 0 rules instead of 12; map floating_by_fixed6 is missing");
}

TEST_F(RulesetRepairTest, AMapOfAWrongTypeLosesItsElementsOnly) {
  by_hand(
      "flush chain inet fipd postrouting; delete map inet fipd floating_by_fixed; add map inet "
      "fipd "
      "floating_by_fixed { type ipv4_addr : ipv4_addr; size 10; }; add element inet fipd "
      "floating_by_fixed { 10.65.0.0 : 172.16.0.0 }");
  expect_repaired(
      "chain postrouting has 0 rules instead of 12; map floating_by_fixed is of the wrong type", 1);
}

TEST_F(RulesetRepairTest, AnInternalSetThatSomebodyAddedTo) {
  by_hand("add element inet fipd internal { 192.168.0.0/16 }");
  expect_repaired("set internal has other prefixes");
}

TEST_F(RulesetRepairTest, ADormantTableKeepsItsElements) {
  by_hand("add table inet fipd { flags dormant; }");
  expect_repaired("the table is dormant");
}

TEST_F(RulesetRepairTest, ADormantTableWithMoreDamageTakesTwoTransactions) {
  by_hand("add rule inet fipd output accept; add table inet fipd { flags dormant; }");
  (void)commits();
  EXPECT_EQ(ensure(), "the table is dormant; chain output has 3 rules instead of 2");
  EXPECT_EQ(commits(), 2u);
  EXPECT_EQ(ensure(), "");
}

TEST_F(RulesetRepairTest, AnotherModeAndBack) {
  options_.snat = SnatMode::kHairpin;
  options_.internal.clear();
  expect_repaired(
      "chain postrouting has 12 rules instead of 2; set hairpin is missing; set hairpin6 is "
      "missing; set internal is not fipd's; set internal6 is not fipd's");
  options_.internal = {*Prefix::parse("192.0.2.0/24")};
  options_.snat = SnatMode::kEgress;
  expect_repaired(
      "chain postrouting has 2 rules instead of 11; set internal is missing; set hairpin is not "
      "fipd's; set hairpin6 is not fipd's");
}

TEST_F(RulesetRepairTest, KeepsForwardsAndLimitsThatTheTableHasAlready) {
  options_.forwards = options_.limits = true;
  expect_repaired(
      "chain inbound is missing; chain inbound_from_host is missing; chain prerouting has 2 rules "
      "instead of 4; chain output has 2 rules instead of 4; chain postrouting has 12 rules instead "
      "of 14; chain outbound is missing; chain outbound_to_host is missing; set hairpin is "
      "missing; "
      "set hairpin6 is missing; map forward is missing; map forward6 is missing; set rate_in is "
      "missing; set rate_in6 is missing; set rate_out is missing; set rate_out6 is missing; set "
      "new_connections is missing; set new_connections6 is missing; set connections is missing; "
      "set "
      "connections6 is missing");
  // As after a restart, before the first binding is known.
  options_.forwards = options_.limits = false;
  EXPECT_EQ(ensure(), "");
  by_hand("flush chain inet fipd inbound");
  expect_repaired("chain inbound has 0 rules instead of 6");
  by_hand(
      "flush chain inet fipd outbound; flush chain inet fipd outbound_to_host; delete set inet "
      "fipd rate_out");
  EXPECT_NE(ensure().find("set rate_out is missing"), std::string::npos);
}

TEST_F(RulesetRepairTest, DropsWhatTheConfigurationNoLongerAsksFor) {
  ask_for_everything();
  options_.forwards = options_.limits = false;
  ASSERT_NE(ensure().find("counter untranslated is missing"), std::string::npos);
  options_.guarded.clear();
  options_.accounting = false;
  options_.metadata = {};
  expect_repaired(
      "chain prerouting has 6 rules instead of 2; chain postrouting has 14 rules instead of 12; "
      "chain inbound is not fipd's; chain inbound_from_host is not fipd's; chain guard is not "
      "fipd's; chain loopback is not fipd's; chain outbound is not fipd's; chain outbound_to_host "
      "is not fipd's; set received is not fipd's; set received6 is not fipd's; set sent is not "
      "fipd's; set sent6 is not fipd's; set pools is not fipd's; set pools6 is not fipd's; counter "
      "untranslated is not fipd's");
}

TEST_F(RulesetRepairTest, CountersAndTheirElementsGoOnThroughARewrite) {
  ask_for_everything();
  ASSERT_EQ(ensure().find("FAILED"), std::string::npos);
  ASSERT_TRUE(table_->commit(
      std::vector<ElementChange>{{Map::kReceived, ip("172.16.0.0"), {}, Counter{7, 700}},
                                 {Map::kSent, ip("172.16.0.0"), {}, Counter{5, 500}},
                                 {Map::kSent, ip("2001:db8::3"), {}, Counter{1, 100}}}));
  by_hand("flush chain inet fipd guard; flush chain inet fipd inbound");
  by_hand("delete counter inet fipd untranslated");
  by_hand("add counter inet fipd untranslated { packets 3 bytes 300; }");
  const std::vector<Traffic> before = *table_->counters();
  EXPECT_EQ(before, (std::vector<Traffic>{{ip("172.16.0.0"), {7, 700}, {5, 500}},
                                          {ip("2001:db8::3"), {}, {1, 100}}}));
  EXPECT_NE(ensure(), "");
  EXPECT_EQ(*table_->counters(), before);
  EXPECT_EQ(*table_->untranslated(), (Counter{3, 300}));
}

TEST_F(RulesetRepairTest, LeavesOtherTablesAlone) {
  by_hand(
      "add table ip fipd; add chain ip fipd prerouting; add table inet fipd2; add chain inet fipd2 "
      "stranger; add rule inet fipd2 stranger drop");
  (void)commits();
  EXPECT_EQ(ensure(), "");
  by_hand("flush chain inet fipd output");
  expect_repaired("chain output has 0 rules instead of 2");
  EXPECT_NE(shell("nft list table inet fipd2").find("drop"), std::string::npos);
  EXPECT_NE(shell("nft list table ip fipd").find("prerouting"), std::string::npos);
}

TEST_F(RulesetRepairTest, SaysWhatNftSaidWhereItCannotWrite) {
  // A table with an owner is closed to everybody else.
  ASSERT_TRUE(table_->remove());
  const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> owner(nft_ctx_new(NFT_CTX_DEFAULT),
                                                                nft_ctx_free);
  ASSERT_EQ(nft_run_cmd_from_buffer(owner.get(), "add table inet fipd { flags owner; }"), 0);
  const auto refused = table_->ensure_ruleset(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("Operation not permitted"), std::string::npos)
      << refused.error().message();
}

TEST_F(RulesetRepairTest, RefusesATableNameThatIsNftSyntax) {
  for (const char* name : {"", "a b", "x; flush ruleset", "1st", "\"", "ü"}) {
    const auto table = NftTable::open(name);
    ASSERT_FALSE(table) << name;
    EXPECT_EQ(table.error().code(), ErrorCode::kBadInput);
  }
}

TEST_F(RulesetRepairTest, RemovesTheTableAndIsContentWithNone) {
  EXPECT_TRUE(table_->remove());
  EXPECT_EQ(shell("nft list tables"), "");
  EXPECT_TRUE(table_->remove());
}

}  // namespace
}  // namespace fipd::nat
