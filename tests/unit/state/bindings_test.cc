#include "daemon/state/bindings.h"

#include <algorithm>
#include <map>
#include <random>

#include <gmock/gmock.h>

namespace fipd {
namespace {

using testing::ElementsAre;

IpAddress address(const std::string& text) { return *parse_address(text); }

Claim claim(const std::string& floating, const std::string& fixed, unsigned rank,
            std::uint64_t revision, const std::string& origin, const std::string& interface = "") {
  Binding binding;
  binding.floating = address(floating);
  binding.fixed = address(fixed);
  binding.interface = interface;
  return {binding, rank, revision, origin};
}

std::vector<IpAddress> listed(const AddressSet* set) {
  std::vector<IpAddress> all;
  if (set != nullptr) set->for_each([&](const IpAddress& each) { all.push_back(each); });
  return all;
}

const IpAddress kFloating = address("172.16.1.3");

TEST(Bindings, TheLowerRankWinsWhateverTheOrderOfArrival) {
  for (const bool files_first : {true, false}) {
    Bindings bindings;
    const Claim api = claim("172.16.1.3", "10.65.0.13", 0, 1, "api");
    const Claim file = claim("172.16.1.3", "10.65.0.14", 1, 9, "files:a");
    bindings.put(files_first ? file : api);
    bindings.put(files_first ? api : file);
    EXPECT_EQ(*bindings.winner(kFloating), api);
    EXPECT_THAT(bindings.claims(kFloating), ElementsAre(api, file));
    EXPECT_EQ(bindings.losers(), 1u);
  }
}

TEST(Bindings, TheNewestRevisionWinsWithinARank) {
  Bindings bindings;
  bindings.put(claim("172.16.1.3", "10.65.0.13", 1, 5, "files:a"));
  bindings.put(claim("172.16.1.3", "10.65.0.14", 1, 6, "files:b"));
  EXPECT_EQ(bindings.winner(kFloating)->origin, "files:b");
  bindings.put(claim("172.16.1.3", "10.65.0.13", 1, 7, "files:a"));
  EXPECT_EQ(bindings.winner(kFloating)->origin, "files:a");
}

TEST(Bindings, TheLoserTakesOverWhenTheWinnerGoes) {
  Bindings bindings;
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 1, "api"));
  bindings.put(claim("172.16.1.3", "10.65.0.14", 1, 1, "files:a"));
  bindings.remove(kFloating, "api");
  EXPECT_EQ(bindings.winner(kFloating)->binding.fixed, address("10.65.0.14"));
  EXPECT_EQ(bindings.losers(), 0u);
  bindings.remove(kFloating, "files:a");
  EXPECT_EQ(bindings.winner(kFloating), nullptr);
  EXPECT_EQ(bindings.size(), 0u);
}

TEST(Bindings, RemovingWhatAnotherOriginClaimsDoesNothing) {
  Bindings bindings;
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 1, "api"));
  bindings.remove(kFloating, "files:a");
  bindings.remove(address("172.16.1.4"), "api");
  EXPECT_NE(bindings.winner(kFloating), nullptr);
}

TEST(Bindings, KnowWhichFamiliesThereAre) {
  Bindings bindings;
  EXPECT_FALSE(bindings.any_v4() || bindings.any_v6());
  bindings.put(claim("2001:db8:1::3", "2001:db8:65::13", 0, 1, "api"));
  EXPECT_TRUE(!bindings.any_v4() && bindings.any_v6());
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 1, "api"));
  bindings.put(claim("172.16.1.3", "10.65.0.14", 0, 2, "api"));
  bindings.remove(address("2001:db8:1::3"), "api");
  EXPECT_TRUE(bindings.any_v4() && !bindings.any_v6());
  bindings.remove(kFloating, "api");
  EXPECT_FALSE(bindings.any_v4() || bindings.any_v6());
}

TEST(Bindings, IndexesFollowTheWinnerOnly) {
  Bindings bindings;
  const IpAddress thirteen = address("10.65.0.13");
  const IpAddress fourteen = address("10.65.0.14");
  bindings.put(claim("172.16.1.3", "10.65.0.14", 1, 1, "files:a", "tap2"));
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 1, "api", "tap1"));
  EXPECT_THAT(listed(bindings.with_fixed(thirteen)), ElementsAre(kFloating));
  EXPECT_EQ(bindings.with_fixed(fourteen), nullptr);
  EXPECT_THAT(listed(bindings.with_interface("tap1")), ElementsAre(kFloating));
  EXPECT_EQ(bindings.with_interface("tap2"), nullptr);
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 2, "api"));
  EXPECT_EQ(bindings.with_interface("tap1"), nullptr);
  EXPECT_THAT(bindings.without_interface_in(*Prefix::parse("10.65.0.13/32")),
              ElementsAre(kFloating));
}

TEST(Bindings, AChangedRouteConcernsOnlyThoseBehindItThatNameNoInterface) {
  Bindings bindings;
  bindings.put(claim("172.16.1.3", "10.65.0.13", 0, 1, "api"));
  bindings.put(claim("172.16.1.4", "10.65.1.13", 0, 1, "api"));
  bindings.put(claim("172.16.1.5", "10.65.0.14", 0, 1, "api", "tap1"));
  bindings.put(claim("2001:db8:1::3", "fd00:65::13", 0, 1, "api"));
  const auto concerned = [&](const char* prefix) {
    return bindings.without_interface_in(*Prefix::parse(prefix));
  };
  EXPECT_THAT(concerned("10.65.0.0/24"), ElementsAre(kFloating));
  EXPECT_THAT(concerned("10.0.0.0/8"), ElementsAre(kFloating, address("172.16.1.4")));
  EXPECT_EQ(concerned("0.0.0.0/0").size(), 2u);
  EXPECT_THAT(concerned("::/0"), ElementsAre(address("2001:db8:1::3")));
  EXPECT_TRUE(concerned("192.168.0.0/16").empty());
}

TEST(Bindings, ManyFloatingIpsBehindOneInterfaceAreAllFound) {
  Bindings bindings;
  for (unsigned i = 0; i < 300; ++i) {
    bindings.put(
        claim(fmt::format("172.16.{}.{}", i / 200, i % 200), "10.65.0.13", 0, 1, "api", "br0"));
  }
  EXPECT_EQ(listed(bindings.with_interface("br0")).size(), 300u);
  for (unsigned i = 0; i < 299; ++i) {
    bindings.remove(address(fmt::format("172.16.{}.{}", i / 200, i % 200)), "api");
  }
  EXPECT_THAT(listed(bindings.with_interface("br0")), ElementsAre(address("172.16.1.99")));
}

// Against a model that is too simple to be wrong: all claims in one list, sorted when asked.
TEST(Bindings, AnySequenceOfChangesLeavesWhatAModelSays) {
  std::mt19937 random(4711);
  const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  Bindings bindings;
  std::map<std::pair<IpAddress, std::string>, Claim> model;
  for (std::uint64_t step = 1; step < 5000; ++step) {
    const std::string floating = fmt::format("172.16.1.{}", pick(8));
    const unsigned rank = pick(3);
    const std::string origin = fmt::format("source{}", rank * 2 + pick(2));
    if (pick(3) == 0) {
      bindings.remove(address(floating), origin);
      model.erase({address(floating), origin});
    } else {
      const Claim put = claim(floating, fmt::format("10.65.0.{}", pick(4)), rank, pick(5), origin,
                              pick(2) == 0 ? "" : fmt::format("tap{}", pick(3)));
      bindings.put(put);
      model.insert_or_assign({put.binding.floating, origin}, put);
    }
    std::map<IpAddress, std::vector<Claim>> by_floating;
    for (const auto& [key, each] : model) by_floating[key.first].push_back(each);
    ASSERT_EQ(bindings.size(), by_floating.size());
    ASSERT_EQ(bindings.losers(), model.size() - by_floating.size());
    std::map<IpAddress, std::vector<IpAddress>> by_fixed;
    for (auto& [key, claims] : by_floating) {
      std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
        return std::tuple(a.rank, ~a.revision, a.origin) <
               std::tuple(b.rank, ~b.revision, b.origin);
      });
      const auto have = bindings.claims(key);
      ASSERT_TRUE(std::equal(have.begin(), have.end(), claims.begin(), claims.end())) << step;
      by_fixed[claims.front().binding.fixed].push_back(key);
    }
    for (unsigned i = 0; i < 4; ++i) {
      const IpAddress fixed = address(fmt::format("10.65.0.{}", i));
      auto have = listed(bindings.with_fixed(fixed));
      std::sort(have.begin(), have.end());
      ASSERT_EQ(have, by_fixed[fixed]) << step;
    }
  }
}

TEST(Bindings, FindWhomAForwardConcerns) {
  Bindings bindings;
  Claim claim;
  claim.binding.floating = address("172.16.1.3");
  claim.binding.extras.edit().forwards = {
      {Protocol::kTcp, 443, 1, address("10.65.0.13"), 8443},
      {Protocol::kTcp, 444, 1, address("10.65.0.13"), 8444},
      {Protocol::kUdp, 53, 1, address("10.65.0.14"), 53},
  };
  claim.origin = "api";
  bindings.put(claim);
  for (const char* fixed : {"10.65.0.13", "10.65.0.14"}) {
    ASSERT_NE(bindings.with_fixed(address(fixed)), nullptr) << fixed;
  }
  EXPECT_EQ(bindings.with_fixed(IpAddress()), nullptr);
  const auto in = [&](const char* prefix) {
    return bindings.without_interface_in(Prefix::parse(prefix).value());
  };
  EXPECT_EQ(in("10.65.0.14/32"), std::vector{claim.binding.floating});
  EXPECT_EQ(in("10.65.0.0/16"), std::vector{claim.binding.floating});
  EXPECT_TRUE(in("0.0.0.0/8").empty());

  claim.binding.extras.edit().forwards.pop_back();
  claim.revision = 1;
  bindings.put(claim);
  EXPECT_EQ(bindings.with_fixed(address("10.65.0.14")), nullptr);
  EXPECT_NE(bindings.with_fixed(address("10.65.0.13")), nullptr);
  bindings.remove(claim.binding.floating, "api");
  EXPECT_EQ(bindings.with_fixed(address("10.65.0.13")), nullptr);
  EXPECT_TRUE(in("0.0.0.0/0").empty());
}

}  // namespace
}  // namespace fipd
