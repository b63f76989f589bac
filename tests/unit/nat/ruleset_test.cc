#include "nat/ruleset.h"

#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace fipd::nat {
namespace {

RulesetOptions options(SnatMode snat, std::initializer_list<const char*> internal) {
  RulesetOptions out;
  out.snat = snat;
  for (const char* text : internal) out.internal.push_back(*Prefix::parse(text));
  return out;
}

const RulesetOptions kUsual = options(SnatMode::kEgress, {"10.65.0.0/16", "fd65::/64"});

// Golden files are for a person to read; FIPD_WRITE_GOLDEN=1 writes them anew.
void expect_golden(const std::string& text, const std::string& name) {
  const std::string path = std::string(GOLDEN) + "/" + name;
  if (std::getenv("FIPD_WRITE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ostringstream wanted;
  wanted << std::ifstream(path).rdbuf();
  EXPECT_EQ(text, wanted.str()) << path;
}

TEST(Ruleset, CreatesEverythingForEgress) { expect_golden(render(kUsual, {}), "egress.nft"); }

TEST(Ruleset, CreatesEverythingForHairpin) {
  expect_golden(render(options(SnatMode::kHairpin, {}), {}), "hairpin.nft");
}

TEST(Ruleset, CreatesEverythingThatThereCanBe) {
  RulesetOptions all = kUsual;
  all.guarded = {*Prefix::parse("172.16.0.0/16"), *Prefix::parse("2001:db8::/64")};
  all.accounting = all.forwards = all.limits = true;
  all.metadata.listen = {{*parse_address("127.0.0.1"), 8775}, {*parse_address("::1"), 8775}};
  all.metadata.interfaces = {"tap*"};
  expect_golden(render(all, {}), "everything.nft");
}

TEST(Ruleset, HasNoRedirectWithoutInterfacesAndNoDropWhereTheListenerIsElsewhere) {
  RulesetOptions options = kUsual;
  options.metadata.listen = {{*parse_address("10.0.0.1"), 8775}};
  EXPECT_EQ(render(options, {}), render(kUsual, {}));
  options.metadata.interfaces = {"tap*"};
  const std::string text = render(options, {});
  EXPECT_NE(text.find("dnat ip to 10.0.0.1:8775"), std::string::npos);
  EXPECT_EQ(text.find("chain inet fipd loopback"), std::string::npos);
}

TEST(Ruleset, ReplacesForeignChainsAndRulesAndKeepsTheMaps) {
  TableDescription actual = describe(kUsual);
  ChainDescription foreign;
  foreign.name = "stranger";
  actual.chains.push_back(foreign);
  expect_golden(render(kUsual, actual), "repair.nft");
}

TEST(Ruleset, OnlyWakesADormantTable) {
  TableDescription actual = describe(kUsual);
  actual.dormant = true;
  const std::string text = render(kUsual, actual);
  EXPECT_EQ(text.find("add table inet fipd"), 0u);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(Ruleset, ReplacesOnlyTheMapOfAWrongType) {
  TableDescription actual = describe(kUsual);
  actual.sets[0].data_length = 16;
  const std::string text = render(kUsual, actual);
  EXPECT_NE(text.find("delete map inet fipd " + actual.sets[0].name + "\n"), std::string::npos);
  EXPECT_EQ(text.find("delete map inet fipd " + actual.sets[1].name + "\n"), std::string::npos);
}

TEST(Ruleset, HasNoSetOrRuleForFamiliesWithoutInternalPrefixes) {
  const std::string text = render(options(SnatMode::kEgress, {"10.65.0.0/16"}), {});
  EXPECT_NE(text.find("@internal "), std::string::npos);
  EXPECT_EQ(text.find("internal6"), std::string::npos);
}

TEST(Ruleset, FindsNothingToChangeInWhatItDescribes) {
  EXPECT_TRUE(differences(describe(kUsual), describe(kUsual)).empty());
  // The kernel lists chains and sets in an order of its own.
  TableDescription shuffled = describe(kUsual);
  std::swap(shuffled.chains.front(), shuffled.chains.back());
  std::swap(shuffled.sets.front(), shuffled.sets.back());
  EXPECT_TRUE(differences(describe(kUsual), shuffled).empty());
}

TEST(Ruleset, SaysInWordsWhatIsWrong) {
  const TableDescription wanted = describe(kUsual);
  const auto said = [&](auto damage) {
    TableDescription actual = wanted;
    damage(actual);
    std::string out;
    for (const std::string& one : differences(wanted, actual)) out += one + "\n";
    return out;
  };
  EXPECT_EQ(said([](auto& table) { table = {}; }), "the table is missing\n");
  EXPECT_EQ(said([](auto& table) { table.dormant = true; }), "the table is dormant\n");
  EXPECT_EQ(said([](auto& table) { table.chains.pop_back(); }), "chain postrouting is missing\n");
  EXPECT_EQ(said([](auto& table) { table.chains[0].priority = 7; }),
            "chain prerouting is at the wrong hook (priority 7 instead of -110)\n");
  EXPECT_EQ(said([](auto& table) { table.chains[1].policy = 0; }),
            "chain output has the wrong policy\n");
  EXPECT_EQ(said([](auto& table) { table.chains[1].rules.pop_back(); }),
            "chain output has 1 rules instead of 2\n");
  EXPECT_EQ(
      said([](auto& table) { std::swap(table.chains[1].rules[0], table.chains[1].rules[1]); }),
      "chain output: rule 1 is not as it should be\n");
  EXPECT_EQ(said([](auto& table) { table.sets[0].size = 100; }),
            "map fixed_by_floating is of the wrong type\n");
  EXPECT_EQ(said([](auto& table) { table.sets.back().elements.clear(); }),
            "set internal6 has other prefixes\n");
  EXPECT_EQ(said([](auto& table) { table.sets.back().name = "mine"; }),
            "set internal6 is missing\nset mine is not fipd's\n");
}

}  // namespace
}  // namespace fipd::nat
