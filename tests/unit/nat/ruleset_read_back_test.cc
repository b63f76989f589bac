#include <algorithm>

#include "kernel_fixture.h"
#include "nat/ruleset.h"
#include "nat/ruleset_state.h"

namespace fipd::nat {
namespace {

class RulesetReadBackTest : public NftTableFixture {
 protected:
  // Holds text and description together: what the text loads must read back as what is described.
  void expect_as_described() {
    SCOPED_TRACE(render(options_, {}));
    const std::string said = ensure();
    ASSERT_EQ(said.find("FAILED"), std::string::npos) << said;
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER, NetlinkOptions{});
    ASSERT_TRUE(socket);
    auto actual = read_table(*socket, "fipd");
    ASSERT_TRUE(actual);
    auto wanted = describe(options_);
    const auto sorted = [](auto& named) {
      std::sort(named.begin(), named.end(),
                [](const auto& a, const auto& b) { return a.name < b.name; });
    };
    for (TableDescription* table : {&wanted, &*actual}) {
      sorted(table->chains);
      sorted(table->sets);
    }
    ASSERT_EQ(wanted.chains.size(), actual->chains.size());
    for (std::size_t i = 0; i < wanted.chains.size(); ++i) {
      EXPECT_EQ(wanted.chains[i].rules, actual->chains[i].rules) << wanted.chains[i].name;
    }
    ASSERT_EQ(wanted.sets.size(), actual->sets.size());
    for (std::size_t i = 0; i < wanted.sets.size(); ++i) {
      EXPECT_EQ(wanted.sets[i].expression, actual->sets[i].expression) << wanted.sets[i].name;
      EXPECT_EQ(wanted.sets[i].key_type, actual->sets[i].key_type) << wanted.sets[i].name;
      EXPECT_EQ(wanted.sets[i].flags, actual->sets[i].flags) << wanted.sets[i].name;
    }
    EXPECT_EQ(wanted, *actual);
    (void)commits();
    EXPECT_EQ(ensure(), "");
    EXPECT_EQ(commits(), 0u);
    ASSERT_TRUE(table_->remove());
  }
};

TEST_F(RulesetReadBackTest, TheUsualRulesOfBothModesWithPrefixesOfAllForms) {
  for (const SnatMode snat : {SnatMode::kEgress, SnatMode::kHairpin}) {
    for (const auto& internal : std::vector<std::vector<const char*>>{
             {},
             {"10.65.0.0/16"},
             {"10.65.0.0/16", "10.66.0.0/16", "10.65.3.0/24", "192.0.2.1/32", "fd65::/64"},
             {"0.0.0.0/0", "::/0"},
             {"240.0.0.0/4", "ff00::/8", "0.0.0.0/8"}}) {
      options_.snat = snat;
      options_.internal.clear();
      for (const char* text : internal) options_.internal.push_back(*Prefix::parse(text));
      expect_as_described();
    }
  }
}

TEST_F(RulesetReadBackTest, EachFeatureAlone) {
  const RulesetOptions plain = options_;
  options_.forwards = true;
  expect_as_described();
  options_ = plain;
  options_.limits = true;
  expect_as_described();
  options_ = plain;
  options_.accounting = true;
  expect_as_described();
  options_ = plain;
  options_.guarded = {*Prefix::parse("2001:db8::/64")};
  expect_as_described();
}

TEST_F(RulesetReadBackTest, MetadataOfOneFamilyAndOfBothToLoopbackAndElsewhere) {
  using Listen = std::vector<Endpoint>;
  for (const Listen& listen :
       {Listen{{ip("127.0.0.1"), 8775}}, Listen{{ip("::1"), 1}}, Listen{{ip("10.0.0.1"), 65535}},
        Listen{{ip("127.0.0.1"), 80}, {ip("fd00::1"), 8775}}}) {
    options_.metadata.listen = listen;
    for (const std::vector<std::string>& interfaces :
         {std::vector<std::string>{"tap*"}, std::vector<std::string>{"eth0", "vnet-1.2*", "abcd*"},
          std::vector<std::string>{"fifteen-letters", "fourteen-lette*"}}) {
      options_.metadata.interfaces = interfaces;
      expect_as_described();
    }
  }
}

TEST_F(RulesetReadBackTest, EverythingAtOnceInBothModes) {
  ask_for_everything();
  expect_as_described();
  options_.snat = SnatMode::kHairpin;
  expect_as_described();
}

TEST_F(RulesetReadBackTest, WhatIsNoInterfaceNeverReachesNft) {
  options_.metadata.listen = {{ip("127.0.0.1"), 8775}};
  for (const char* name : {"*", "", "tap\"; flush ruleset; \"", "sixteen-letters-",
                           "fifteen-letters*", "a b", "a*b"}) {
    options_.metadata.interfaces = {name};
    const auto refused = table_->ensure_ruleset(options_);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::kBadInput);
  }
  options_.metadata.interfaces = {"tap*"};
  options_.metadata.listen = {{ip("127.0.0.1"), 0}};
  EXPECT_FALSE(table_->ensure_ruleset(options_));
}

// The table as the version before this one wrote it, in both of its modes: the maps that are still
// in use keep their elements, what had another form goes, all in one transaction.
class RulesetUpgradeTest : public NftTableFixture {
 protected:
  void expect_upgraded_from(const std::string& more, std::size_t elements) {
    int status = 0;
    const std::string said = shell("nft -f " SKELETON, &status);
    ASSERT_EQ(status, 0) << said;
    by_hand("add element inet fipd floating_by_hairpin { 10.65.0.0 . 10.65.0.0 : 172.16.0.0 }");
    if (!more.empty()) by_hand(more);
    ASSERT_TRUE(table_->commit(pairs(500)));
    ASSERT_TRUE(table_->commit(pairs(500, true)));
    (void)commits();
    const std::string found = ensure();
    EXPECT_NE(found.find("chain prerouting is at the wrong hook (priority -100 instead of -110)"),
              std::string::npos)
        << found;
    EXPECT_EQ(commits(), 1u);
    EXPECT_EQ(ensure(), "");
    EXPECT_EQ(commits(), 0u);
    const auto read = *table_->dump();
    EXPECT_EQ(read.size(), elements);
    for (const bool v6 : {false, true}) {
      for (const ElementChange& each : pairs(500, v6)) {
        const Element wanted{each.map, each.key, *each.after};
        ASSERT_NE(std::find(read.begin(), read.end(), wanted), read.end()) << to_string(wanted);
      }
    }
  }
};

TEST_F(RulesetUpgradeTest, KeepsAThousandPairs) { expect_upgraded_from("", 2000); }

TEST_F(RulesetUpgradeTest, KeepsThemWithEverythingThatIsNew) {
  ask_for_everything();
  expect_upgraded_from("", 2000);
}

TEST_F(RulesetUpgradeTest, KeepsThemFromAndToHairpin) {
  options_.snat = SnatMode::kHairpin;
  expect_upgraded_from(
      "flush chain inet fipd postrouting; add rule inet fipd postrouting ct status dnat snat ip to "
      "ip saddr . ip daddr map @floating_by_hairpin",
      2000);
}

}  // namespace
}  // namespace fipd::nat
