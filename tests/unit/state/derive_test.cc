#include "daemon/state/derive.h"

#include <gtest/gtest.h>

#include "daemon/state/forward.h"

namespace fipd {
namespace {

IpAddress address(const std::string& text) { return *parse_address(text); }

Binding binding(const std::string& floating, const std::string& fixed,
                const std::string& interface = "tap1") {
  Binding out;
  out.floating = address(floating);
  out.fixed = address(fixed);
  out.interface = interface;
  return out;
}

class Derive : public testing::Test {
 protected:
  Derive() {
    host_.put(bgp::Link{7, "tap1", true, true});
    host_.put(bgp::LocalAddress{address("10.240.0.6"), 2});
    rules_.pools = {*Prefix::parse("172.16.1.0/24"), *Prefix::parse("2001:db8:1::/64")};
  }

  Desired derived(const Binding& wanted) {
    const auto lookup = [this](const IpAddress&) -> Result<std::optional<unsigned>> {
      return kernel_interface_;
    };
    return derive(wanted, rules_, host_, bindings_, lookup);
  }

  std::string code_of(const std::string& floating, const std::string& fixed) {
    const Desired desired = derived(binding(floating, fixed));
    EXPECT_FALSE(desired.route && desired.refusal) << "refused and routed: " << floating;
    return desired.refusal ? std::string(desired.refusal->code) : "";
  }

  Host host_;
  Bindings bindings_;
  DeriveRules rules_;
  std::optional<unsigned> kernel_interface_;
};

TEST_F(Derive, RoutesByTheNamedInterfaceAtTheNormalMetric) {
  rules_.metric = 77;
  const Desired desired = derived(binding("172.16.1.3", "10.65.0.13"));
  ASSERT_TRUE(desired.route);
  EXPECT_EQ(*desired.route, (bgp::HostRoute{address("172.16.1.3"), 77, 7}));
  EXPECT_TRUE(derived(binding("2001:db8:1::3", "fd00:65::13")).route);
}

TEST_F(Derive, APreferenceLiesBetweenTheMetricsOfTakingOverAndOfDrain) {
  Binding wanted = binding("172.16.1.3", "10.65.0.13");
  const auto metric = [&](unsigned preference, Steer steer = Steer::kNone) {
    wanted.extras.edit().preference = preference;
    return metric_of(wanted, rules_, steer);
  };
  EXPECT_EQ(metric(100), 1024u);
  EXPECT_EQ(metric(200), 513u);
  EXPECT_EQ(metric(0), 4095u);
  std::uint32_t last = 4096;
  for (unsigned preference = 0; preference <= 200; ++preference) {
    EXPECT_LT(metric(preference), last) << preference;
    last = metric(preference);
  }
  EXPECT_EQ(metric(200, Steer::kPreferred), 512u);
  EXPECT_EQ(metric(200, Steer::kDrained), 4096u);
  rules_.preferred_metric = 1;
  rules_.metric = 2;
  rules_.drained_metric = 3;
  EXPECT_EQ(metric(200), 2u) << "no room between them";
  EXPECT_EQ(metric(0), 2u);
}

TEST_F(Derive, AWithdrawnOneIsTranslatedAndHasNoRoute) {
  const auto lookup = [](const IpAddress&) -> Result<std::optional<unsigned>> {
    return std::nullopt;
  };
  const Desired desired = derive(binding("172.16.1.3", "10.65.0.13"), rules_, host_, bindings_,
                                 lookup, Steer::kWithdrawn);
  EXPECT_TRUE(desired.translated());
  EXPECT_FALSE(desired.route);
  EXPECT_EQ(desired.waiting, "");
}

TEST_F(Derive, AColorIsTheRoutesRealmAndRefusedForIpv6) {
  Binding coloured = binding("172.16.1.3", "10.65.0.13");
  coloured.extras.edit().color = 7;
  ASSERT_TRUE(derived(coloured).route);
  EXPECT_EQ(derived(coloured).route->realm, 7u);
  Binding coloured6 = binding("2001:db8:1::3", "fd00:65::13");
  coloured6.extras.edit().color = 7;
  ASSERT_TRUE(derived(coloured6).refusal);
  EXPECT_EQ(derived(coloured6).refusal->code, "color_of_ipv6");
}

TEST_F(Derive, FollowsTheKernelsRouteWhereNoInterfaceIsNamed) {
  kernel_interface_ = 7;
  EXPECT_EQ(derived(binding("172.16.1.3", "10.65.0.13", "")).route->interface, 7u);
  kernel_interface_ = std::nullopt;
  const Desired desired = derived(binding("172.16.1.3", "10.65.0.13", ""));
  EXPECT_FALSE(desired.route);
  EXPECT_TRUE(desired.translated());
  EXPECT_NE(desired.waiting.find("10.65.0.13"), std::string::npos);
}

TEST_F(Derive, WhereTheKernelWouldDeliverToNobodyIsAskedOnlyOfNamedInterfaces) {
  const auto lookup = [this](const IpAddress& fixed) -> Result<std::optional<unsigned>> {
    if (fixed == address("10.65.0.14")) return std::optional<unsigned>();
    return kernel_interface_;
  };
  kernel_interface_ = 9;  // a bridge, of which the tap is a port
  Binding wanted = binding("172.16.1.3", "10.65.0.13");
  EXPECT_EQ(without_way(wanted, lookup), "");
  wanted.extras.edit().forwards = {*parse_forward("tcp/22=10.65.0.13:22"),
                                   *parse_forward("tcp/80=10.65.0.14:8080")};
  EXPECT_EQ(without_way(wanted, lookup),
            "no local interface leads to 10.65.0.14: see ip route get 10.65.0.14");
  wanted.interface.clear();
  EXPECT_EQ(without_way(wanted, lookup), "");
}

TEST_F(Derive, WaitsForAnInterfaceThatIsAbsentDownOrWithoutCarrier) {
  const auto reason = [&] {
    const Desired desired = derived(binding("172.16.1.3", "10.65.0.13"));
    EXPECT_FALSE(desired.route);
    EXPECT_TRUE(desired.translated());
    return desired.waiting;
  };
  host_.put(bgp::Link{7, "tap1", false, false});
  EXPECT_NE(reason().find("is down"), std::string::npos);
  host_.put(bgp::Link{7, "tap1", true, false});
  EXPECT_NE(reason().find("no carrier"), std::string::npos);
  host_.put(bgp::Link{7, "tap2", true, true});
  EXPECT_NE(reason().find("no interface tap1"), std::string::npos);
}

TEST_F(Derive, RefusesWhatCanNeverBeWithAStableCode) {
  EXPECT_EQ(code_of("172.16.2.3", "10.65.0.13"), "outside_pools");
  EXPECT_EQ(code_of("172.16.1.3", "fd00::1"), "mixed_families");
  rules_.pools.clear();
  EXPECT_EQ(code_of("172.16.2.3", "10.65.0.13"), "");
  EXPECT_EQ(code_of("10.240.0.6", "10.65.0.13"), "own_address");
  for (const char* floating :
       {"224.0.0.5", "127.0.0.1", "169.254.1.1", "0.0.0.0", "255.255.255.255", "0.1.2.3"}) {
    EXPECT_EQ(code_of(floating, "10.65.0.13"), "unusable_address") << floating;
    EXPECT_EQ(code_of("172.16.1.3", floating), "unusable_address") << floating;
  }
  for (const char* floating : {"::", "::1", "ff02::1", "fe80::1"}) {
    EXPECT_EQ(code_of(floating, "fd00:65::13"), "unusable_address") << floating;
  }
}

TEST_F(Derive, RefusesForwardsToWhatCanNeverBe) {
  const auto code = [&](const char* target) {
    Binding forwarding;
    forwarding.floating = address("172.16.1.3");
    forwarding.extras.edit().forwards = {{Protocol::kTcp, 1, 1, address("10.65.0.13"), 1},
                                         {Protocol::kTcp, 2, 1, address(target), 2}};
    const auto is_floating = [&](const IpAddress& each) {
      return bindings_.winner(each) != nullptr;
    };
    const auto refusal = refusal_of(forwarding, rules_, host_, is_floating);
    return refusal ? std::string(refusal->code) : "";
  };
  EXPECT_EQ(code("10.65.0.14"), "");
  EXPECT_EQ(code("fd00::1"), "mixed_families");
  EXPECT_EQ(code("224.0.0.5"), "unusable_address");
  bindings_.put({binding("172.16.1.4", "10.65.0.14"), 0, 1, "api"});
  EXPECT_EQ(code("172.16.1.4"), "fixed_is_floating");
}

TEST_F(Derive, RefusesAFixedIpThatIsItselfAFloatingIp) {
  EXPECT_EQ(code_of("172.16.1.3", "172.16.1.3"), "fixed_is_floating");
  EXPECT_EQ(code_of("172.16.1.3", "172.16.1.4"), "");
  bindings_.put({binding("172.16.1.4", "10.65.0.14"), 0, 1, "api"});
  EXPECT_EQ(code_of("172.16.1.3", "172.16.1.4"), "fixed_is_floating");
}

}  // namespace
}  // namespace fipd
