#include "nat/neighbours.h"

#include <algorithm>
#include <vector>

#include "kernel_fixture.h"
#include "nat/ruleset.h"

namespace fipd::nat {
namespace {

using Kind = Neighbour::Kind;

class NeighboursTest : public NftTableFixture {
 protected:
  void SetUp() override {
    NftTableFixture::SetUp();
    if (IsSkipped()) return;
    ask_for_everything();
    ASSERT_EQ(ensure(), "the table is missing");
  }
  // "nat ip nat PREROUTING prerouting -100", sorted.
  std::vector<std::string> found() {
    std::vector<std::string> out;
    const auto all = table_->neighbours();
    EXPECT_TRUE(all);
    for (const Neighbour& each : all.value_or(std::vector<Neighbour>())) {
      out.push_back(fmt::format("{} {} {} {} {} {}",
                                each.kind == Kind::kTranslatesFirst ? "nat" : "drop", each.family,
                                each.table, each.chain, each.hook, each.priority));
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  using Found = std::vector<std::string>;
};

TEST_F(NeighboursTest, OurOwnChainsAreNone) { EXPECT_EQ(found(), Found{}); }

TEST_F(NeighboursTest, NatChainsThatRunBeforeOursOrPerhapsDo) {
  by_hand("add table ip n; add chain ip n early { type nat hook prerouting priority -150; }");
  by_hand("add chain ip n same { type nat hook output priority -110; }");
  by_hand("add chain ip n late { type nat hook prerouting priority -109; }");
  by_hand("add table ip6 n; add chain ip6 n early { type nat hook postrouting priority 90; }");
  by_hand("add table inet n; add chain inet n late { type nat hook postrouting priority 91; }");
  by_hand("add chain inet n other_hook { type nat hook input priority -150; }");
  EXPECT_EQ(found(), (Found{"nat ip n early prerouting -150", "nat ip n same output -110",
                            "nat ip6 n early postrouting 90"}));
}

TEST_F(NeighboursTest, FilterChainsThatDropByPolicyInEveryFamilyAndAtEveryHook) {
  for (const char* family : {"ip", "ip6", "inet"}) by_hand(fmt::format("add table {} f", family));
  const auto chain = [](const char* family, const char* hook, int priority, const char* policy) {
    by_hand(fmt::format("add chain {0} f {1} {{ type filter hook {1} priority {2}; policy {3}; }}",
                        family, hook, priority, policy));
  };
  chain("ip", "prerouting", -300, "drop");
  chain("ip", "input", 0, "drop");
  chain("ip6", "forward", 10, "drop");
  chain("inet", "output", 0, "drop");
  chain("inet", "postrouting", 500, "drop");
  chain("inet", "forward", 0, "accept");
  by_hand("add chain inet f plain");
  EXPECT_EQ(found(),
            (Found{"drop inet f output output 0", "drop inet f postrouting postrouting 500",
                   "drop ip f input input 0", "drop ip f prerouting prerouting -300",
                   "drop ip6 f forward forward 10"}));
  by_hand("add chain ip6 f forward { policy accept; }");
  EXPECT_EQ(found().size(), 4u);
}

TEST_F(NeighboursTest, ThoseOfIptables) {
  shell("iptables-nft -t nat -A POSTROUTING -s 10.65.0.0/16 -j MASQUERADE");
  shell("ip6tables-nft -P FORWARD DROP");
  EXPECT_EQ(found(), (Found{"drop ip6 filter FORWARD forward 0"}))
      << "its nat chains run after ours";
}

TEST_F(NeighboursTest, ATableOfOurNameInAnotherFamilyIsSomebodyElses) {
  by_hand(
      "add table ip fipd; add chain ip fipd c { type filter hook forward priority 0; policy "
      "drop; }");
  EXPECT_EQ(found(), (Found{"drop ip fipd c forward 0"}));
}

TEST_F(NeighboursTest, FamiliesWhoseHooksAreOthersAreLeftOut) {
  by_hand(
      "add table bridge b; add chain bridge b c { type filter hook forward priority 0; policy "
      "drop; }");
  by_hand("add table arp a; add chain arp a c { type filter hook input priority 0; policy drop; }");
  EXPECT_EQ(found(), Found{});
}

// A chain of ours whose priority is not where neighbours() believes it would hide neighbours.
TEST(Neighbours, AreMeasuredAgainstThePrioritiesThatTheRulesHave) {
  for (const ChainDescription& chain : describe(RulesetOptions()).chains) {
    if (chain.type != "nat") continue;
    EXPECT_EQ(chain.priority, chain.name == "postrouting" ? kSourcePriority : kDestinationPriority);
  }
}

}  // namespace
}  // namespace fipd::nat
