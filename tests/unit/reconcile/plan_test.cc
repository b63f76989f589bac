#include "daemon/reconcile/plan.h"

#include <gmock/gmock.h>

namespace fipd {
namespace {

using nat::Map;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

IpAddress address(const std::string& text) { return *parse_address(text); }

const IpAddress kFloating = address("172.16.1.3");
const IpAddress kSecond = address("172.16.1.4");
const IpAddress kFixed = address("10.65.0.13");
const IpAddress kOther = address("10.65.0.14");
const bgp::HostRoute kRoute{kFloating, 1024, 7};

class Planning : public testing::Test {
 protected:
  void bind(const IpAddress& floating, const IpAddress& fixed, bool primary = false) {
    Binding binding;
    binding.floating = floating;
    binding.fixed = fixed;
    binding.primary = primary;
    bindings_.put({binding, 0, 1, "api"});
  }

  template <typename F>
  Plan plan(F decide, nat::SnatMode mode = nat::SnatMode::kEgress) {
    Plan out;
    PlanRules rules = rules_;
    rules.snat = mode;
    Planner planner(out, nat_, routes_, rules);
    decide(planner);
    while (planner.compare_sources(bindings_, 1)) {
    }
    return out;
  }

  std::optional<IpAddress> source_of(const IpAddress& fixed) {
    return nat_.find(Map::kFloatingByFixed, fixed);
  }

  // What a pass does for a binding without extras.
  static void keep(Planner& planner, const IpAddress& floating, const IpAddress& fixed,
                   const std::optional<bgp::HostRoute>& route) {
    Binding binding;
    binding.floating = floating;
    binding.fixed = fixed;
    Desired desired;
    desired.route = route;
    planner.keep(binding, desired);
  }

  PlanRules rules_;
  Bindings bindings_;
  KnownNat nat_;
  KnownRoutes routes_;
};

TEST_F(Planning, APairIsTwoElementsAndARoute) {
  bind(kFloating, kFixed);
  const Plan first = plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  EXPECT_THAT(first.mappings,
              UnorderedElementsAre(
                  nat::ElementChange{Map::kFixedByFloating, kFloating, std::nullopt, kFixed},
                  nat::ElementChange{Map::kFloatingByFixed, kFixed, std::nullopt, kFloating}));
  EXPECT_THAT(first.routes_up, ElementsAre(bgp::RouteChange{bgp::RouteAction::kAdd, kRoute}));
  const Plan again = plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  EXPECT_TRUE(again.empty()) << "what was planned is known: nothing is planned twice";
}

TEST_F(Planning, ARetargetChangesBothDirectionsAtOnceAndFlushesTheOldPair) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  bind(kFloating, kOther);
  const Plan move = plan([](Planner& planner) { keep(planner, kFloating, kOther, kRoute); });
  EXPECT_THAT(move.mappings,
              UnorderedElementsAre(
                  nat::ElementChange{Map::kFixedByFloating, kFloating, kFixed, kOther},
                  nat::ElementChange{Map::kFloatingByFixed, kFixed, kFloating, std::nullopt},
                  nat::ElementChange{Map::kFloatingByFixed, kOther, std::nullopt, kFloating}));
  EXPECT_THAT(move.gone, ElementsAre(nat::Translation{kFloating, kFixed}));
  EXPECT_THAT(move.routes_up, IsEmpty());
}

TEST_F(Planning, AChangeOfMetricAddsBeforeItRemoves) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  const bgp::HostRoute drained{kFloating, 4096, 7};
  const Plan drain = plan([&](Planner& planner) { keep(planner, kFloating, kFixed, drained); });
  EXPECT_THAT(drain.mappings, IsEmpty());
  EXPECT_THAT(drain.routes_up, ElementsAre(bgp::RouteChange{bgp::RouteAction::kAdd, drained}));
  EXPECT_THAT(drain.routes_down, ElementsAre(bgp::RouteChange{bgp::RouteAction::kRemove, kRoute}));
}

TEST_F(Planning, AnotherRealmIsOneReplace) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  bgp::HostRoute coloured = kRoute;
  coloured.realm = 7;
  const Plan change = plan([&](Planner& planner) { keep(planner, kFloating, kFixed, coloured); });
  EXPECT_THAT(change.routes_up,
              ElementsAre(bgp::RouteChange{bgp::RouteAction::kReplace, coloured}));
  EXPECT_THAT(change.routes_down, IsEmpty());
  EXPECT_TRUE(plan([&](Planner& planner) { keep(planner, kFloating, kFixed, coloured); }).empty());
}

TEST_F(Planning, AnotherInterfaceIsOneReplace) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  const bgp::HostRoute moved{kFloating, 1024, 8};
  const Plan move = plan([&](Planner& planner) { keep(planner, kFloating, kFixed, moved); });
  EXPECT_THAT(move.routes_up, ElementsAre(bgp::RouteChange{bgp::RouteAction::kReplace, moved}));
  EXPECT_THAT(move.routes_down, IsEmpty());
}

TEST_F(Planning, AWithdrawnAddressKeepsItsMappingUntilItIsForgotten) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  bindings_.remove(kFloating, "api");
  const Plan withdraw = plan([](Planner& planner) { planner.withdraw(kFloating); });
  EXPECT_THAT(withdraw.mappings, IsEmpty());
  EXPECT_EQ(withdraw.routes_down.size(), 1u);
  EXPECT_EQ(source_of(kFixed), kFloating) << "its replies still leave under its name";
  const Plan forget = plan([](Planner& planner) { planner.forget(kFloating); });
  EXPECT_EQ(forget.mappings.size(), 2u);
  EXPECT_THAT(forget.gone, ElementsAre(nat::Translation{kFloating, kFixed}));
}

TEST_F(Planning, AnInstanceSendsFromItsPrimaryElseFromTheLowest) {
  const auto keep_both = [](Planner& planner) {
    keep(planner, kSecond, kFixed, std::nullopt);
    keep(planner, kFloating, kFixed, std::nullopt);
  };
  bind(kSecond, kFixed);
  bind(kFloating, kFixed);
  (void)plan(keep_both);
  EXPECT_EQ(source_of(kFixed), kFloating);
  bind(kSecond, kFixed, true);
  (void)plan(keep_both);
  EXPECT_EQ(source_of(kFixed), kSecond);
  bindings_.remove(kSecond, "api");
  (void)plan([](Planner& planner) { planner.forget(kSecond); });
  EXPECT_EQ(source_of(kFixed), kFloating);
}

TEST_F(Planning, AnAddressThatIsOnlyLingeringYieldsTheSourceToOneThatIsBound) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  bindings_.remove(kFloating, "api");
  (void)plan([](Planner& planner) { planner.withdraw(kFloating); });
  bind(kSecond, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kSecond, kFixed, std::nullopt); });
  EXPECT_EQ(source_of(kFixed), kSecond);
}

TEST_F(Planning, TheOtherSnatModeMovesTheElementToItsOwnMap) {
  bind(kFloating, kFixed);
  (void)plan([](Planner& planner) { keep(planner, kFloating, kFixed, kRoute); });
  const Plan change =
      plan([](Planner& planner) { planner.touch_fixed(kFixed); }, nat::SnatMode::kHairpin);
  EXPECT_THAT(change.mappings,
              UnorderedElementsAre(
                  nat::ElementChange{Map::kHairpin, kFixed, std::nullopt, nat::Value()},
                  nat::ElementChange{Map::kFloatingByFixed, kFixed, kFloating, std::nullopt}));
}

TEST_F(Planning, AHairpinNeedsNoWriteWhenAnotherFloatingIPStandsBehindIt) {
  bind(kSecond, kFixed);
  const auto kept = [](const IpAddress& floating) {
    return [floating](Planner& planner) { keep(planner, floating, kFixed, std::nullopt); };
  };
  EXPECT_EQ(plan(kept(kSecond), nat::SnatMode::kHairpin).mappings.size(), 2u);
  bind(kFloating, kFixed);
  EXPECT_EQ(plan(kept(kFloating), nat::SnatMode::kHairpin).mappings.size(), 1u);
  bindings_.remove(kFloating, "api");
  bindings_.remove(kSecond, "api");
  const auto forget = [&](const IpAddress& floating) {
    return plan([&](Planner& planner) { planner.forget(floating); }, nat::SnatMode::kHairpin);
  };
  EXPECT_EQ(forget(kSecond).mappings.size(), 1u);
  EXPECT_EQ(forget(kFloating).mappings.size(), 2u);
}

TEST(KnownNat, FindsWhoStandsBehindAHairpinThatItReads) {
  const std::vector<nat::Element> dump{{Map::kHairpin, kFixed, {}},
                                       {Map::kHairpin, kOther, {}},
                                       {Map::kFixedByFloating, kFloating, kFixed}};
  const KnownNat known(dump);
  EXPECT_EQ(known.find(Map::kHairpin, kFixed), kFloating);
  EXPECT_EQ(known.find(Map::kHairpin, kOther), IpAddress()) << "there, and nobody's";
}

}  // namespace
}  // namespace fipd
