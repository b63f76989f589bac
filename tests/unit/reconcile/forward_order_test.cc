#include "daemon/state/forward.h"
#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Forwards and limits: which elements, in which order, and which connections go.
class Forwarding : public BenchTop {
 protected:
  void SetUp() override {
    network_.set_route(address("10.65.0.13"), 7);
    network_.set_route(address("10.65.0.14"), 8);
  }

  static Binding forwarding(const std::vector<std::string>& forwards) {
    Binding binding;
    binding.floating = address("172.16.1.3");
    for (const std::string& each : forwards) {
      binding.extras.edit().forwards.push_back(parse_forward(each).value());
    }
    return binding;
  }

  void forward(const std::vector<std::string>& forwards) { bind(forwarding(forwards)); }

  void bind(const Binding& binding) {
    reconciler_->put({binding, 0, ++revision_, "api"});
    settle();
  }

  // Of all flushes until now.
  std::vector<nat::Translation> flushed() {
    run_for(std::chrono::milliseconds(100));  // flushes have a thread of their own
    std::vector<nat::Translation> all;
    for (const auto& call : std::exchange(connections_.journal, {})) {
      all.insert(all.end(), call.begin(), call.end());
    }
    return all;
  }

  static nat::Translation tcp(const std::string& fixed, std::uint16_t port, std::uint16_t to) {
    return {address("172.16.1.3"), address(fixed), 6, port, to, false};
  }

  std::uint64_t revision_ = 1;
};

TEST_F(Forwarding, TheFirstForwardWritesItsRulesThenItsElementsThenItsRoute) {
  start();
  (void)effects();
  forward({"tcp/443=10.65.0.13:8443", "udp/53-54=10.65.0.14:1053-1054"});
  EXPECT_THAT(effects(), ElementsAre("rules",
                                     "nat[+forward 172.16.1.3.tcp.443:10.65.0.13.8443, "
                                     "+forward 172.16.1.3.udp.53:10.65.0.14.1053, "
                                     "+forward 172.16.1.3.udp.54:10.65.0.14.1054, "
                                     "+hairpin 10.65.0.13, +hairpin 10.65.0.14]",
                                     "add route 172.16.1.3 dev 7"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Forwarding, AChangeOfOneForwardTouchesNoOther) {
  start();
  forward({"tcp/443=10.65.0.13:8443", "tcp/80=10.65.0.14:80"});
  (void)effects();
  forward({"tcp/443=10.65.0.13:8443", "tcp/80=10.65.0.13:80", "tcp/22=10.65.0.13:22"});
  EXPECT_THAT(effects(),
              ElementsAre("nat[+forward 172.16.1.3.tcp.22:10.65.0.13.22, -hairpin 10.65.0.14, "
                          "~forward 172.16.1.3.tcp.80:10.65.0.13.80]"));
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.14", 80, 80)));
  forward({"tcp/80=10.65.0.13:80", "tcp/22=10.65.0.13:22"});
  EXPECT_THAT(effects(), ElementsAre("nat[-forward 172.16.1.3.tcp.443]"));
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.13", 443, 8443)));
}

TEST_F(Forwarding, ARestartWithNothingChangedWritesNothing) {
  nat_.ruleset = rules_.ruleset;
  nat_.ruleset->forwards = nat_.ruleset->limits = true;
  const IpAddress floating = address("172.16.1.3");
  nat_.elements[{nat::Map::kForwards, {floating, 6, 443}}] =
      nat::Endpoint{address("10.65.0.13"), 8443};
  nat_.elements[{nat::Map::kHairpin, address("10.65.0.13")}] = nat::Value();
  nat_.elements[{nat::Map::kRateIn, floating}] = nat::Rate{1000, 65536};
  nat_.elements[{nat::Map::kConnections, floating}] = nat::Count{5};
  routes_.apply(std::vector{bgp::RouteChange{bgp::RouteAction::kAdd, {floating, 1024, 7}}}).value();
  (void)effects();
  rules_.sources = 1;
  start();
  EXPECT_EQ(state_of("172.16.1.3"), State::kWithdrawing) << "adopted";
  Binding binding = forwarding({"tcp/443=10.65.0.13:8443"});
  binding.extras.edit().limits.emplace().in_bits = 8000;
  binding.extras.edit().limits->connections = 5;
  bind(binding);
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(effects(), IsEmpty());
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Forwarding, AnOrphanWithForwardsIsTakenDownInOrder) {
  nat_.ruleset = rules_.ruleset;
  nat_.ruleset->forwards = true;
  const IpAddress floating = address("172.16.1.3");
  nat_.elements[{nat::Map::kForwards, {floating, 6, 443}}] =
      nat::Endpoint{address("10.65.0.13"), 8443};
  nat_.elements[{nat::Map::kHairpin, address("10.65.0.13")}] = nat::Value();
  routes_.apply(std::vector{bgp::RouteChange{bgp::RouteAction::kAdd, {floating, 1024, 7}}}).value();
  (void)effects();
  rules_.sources = 1;
  start();
  const auto target = reconciler_->translated_to(floating);
  ASSERT_TRUE(target);
  EXPECT_EQ(to_string(*target), "tcp/443=10.65.0.13:8443");
  EXPECT_THAT(effects(), IsEmpty());
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("nat[-forward 172.16.1.3.tcp.443, -hairpin 10.65.0.13]"));
  EXPECT_FALSE(known("172.16.1.3"));
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.13", 443, 8443)));
}

TEST_F(Forwarding, FromOneInstanceToForwardsAndBackIsOneTransactionEach) {
  start();
  put("172.16.1.3", "10.65.0.13", "");
  (void)effects();
  forward({"tcp/443=10.65.0.13:443", "tcp/80=10.65.0.13:8080"});
  EXPECT_THAT(effects(), ElementsAre("rules",
                                     "nat[+forward 172.16.1.3.tcp.443:10.65.0.13.443, "
                                     "+forward 172.16.1.3.tcp.80:10.65.0.13.8080, "
                                     "+hairpin 10.65.0.13, "
                                     "-dnat 172.16.1.3, -snat 10.65.0.13]"));
  EXPECT_THAT(flushed(),
              ElementsAre(nat::Translation{address("172.16.1.3"), address("10.65.0.13")}));
  Binding whole;
  whole.floating = address("172.16.1.3");
  whole.fixed = address("10.65.0.13");
  bind(whole);
  EXPECT_THAT(effects(),
              ElementsAre("nat[+dnat 172.16.1.3:10.65.0.13, +snat 10.65.0.13:172.16.1.3, "
                          "-forward 172.16.1.3.tcp.443, -forward 172.16.1.3.tcp.80, "
                          "-hairpin 10.65.0.13]"));
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.13", 80, 8080)))
      << "443 still leads where it led";
}

TEST_F(Forwarding, TheRouteFollowsTheFirstInstanceThatCanBeReached) {
  start();
  forward({"tcp/443=10.65.0.13:8443", "udp/53=10.65.0.14:1053"});
  (void)effects();
  network_.remove_route(address("10.65.0.13"));
  reconciler_->route_changed({*Prefix::parse("10.65.0.13/32"), 254, 3, 0, true, 0});
  settle();
  EXPECT_THAT(effects(), ElementsAre("replace route 172.16.1.3 dev 8"));
  network_.remove_route(address("10.65.0.14"));
  reconciler_->route_changed({*Prefix::parse("10.65.0.14/32"), 254, 3, 0, true, 0});
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 8"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kWaiting);
  EXPECT_EQ(reconciler_->standings().find(address("172.16.1.3"))->reason,
            "no local interface leads to 10.65.0.13");
  network_.set_route(address("10.65.0.14"), 8);
  reconciler_->route_changed({*Prefix::parse("10.65.0.14/32"), 254, 3, 0, false, 0});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 8"));
}

TEST_F(Forwarding, TheHairpinStaysWhileAnybodyForwardsToTheInstance) {
  rules_.ruleset.snat = nat::SnatMode::kHairpin;
  start();
  put("172.16.1.4", "10.65.0.13");
  forward({"tcp/443=10.65.0.13:8443"});
  (void)effects();
  remove("172.16.1.4");
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.4 dev 7", "nat[-dnat 172.16.1.4]"));
  remove("172.16.1.3");
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7",
                                     "nat[-forward 172.16.1.3.tcp.443, -hairpin 10.65.0.13]"));
}

TEST_F(Forwarding, ARuleThatCannotBeWrittenHoldsUpTheElementsThatNeedIt) {
  start();
  (void)effects();
  nat_.next_failure = Error(ErrorCode::kKernel, "no memory for rules");
  forward({"tcp/443=10.65.0.13:8443"});
  EXPECT_THAT(effects(), ElementsAre("rules",
                                     "nat[+forward 172.16.1.3.tcp.443:10.65.0.13.8443, "
                                     "+hairpin 10.65.0.13]",
                                     "add route 172.16.1.3 dev 7"));
}

TEST_F(Forwarding, LimitsAreTheBindingsElseTheConfigured) {
  rules_.derive.default_limits.connections = 7;
  start();
  (void)effects();
  put("172.16.1.4", "10.65.0.14", "tap2");
  EXPECT_THAT(effects(), ElementsAre("rules",
                                     "nat[+connections 172.16.1.4=7, "
                                     "+dnat 172.16.1.4:10.65.0.14, +snat 10.65.0.14:172.16.1.4]",
                                     "add route 172.16.1.4 dev 8"));
  Claim limited = claim("172.16.1.4", "10.65.0.14", "tap2");
  limited.binding.extras.edit().limits = Limits{80000, 0, 160000, 100000, 5, 0, 9};
  limited.revision = 2;
  reconciler_->put(limited);
  settle();
  EXPECT_THAT(effects(),
              ElementsAre("nat[+new 172.16.1.4=5/5, +rate_in 172.16.1.4=10000/65536, "
                          "+rate_out 172.16.1.4=20000/100000, ~connections 172.16.1.4=9]"));
  EXPECT_THAT(flushed(), IsEmpty());
  limited.binding.extras.edit().limits = Limits{};
  limited.revision = 3;
  reconciler_->put(limited);
  settle();
  EXPECT_THAT(effects(), ElementsAre("nat[-connections 172.16.1.4, -new 172.16.1.4, "
                                     "-rate_in 172.16.1.4, -rate_out 172.16.1.4]"));
}

TEST_F(Forwarding, KeptConnectionsLiveUntilTheFloatingIpHasAnotherOwner) {
  rules_.keep_connections_on_remove = true;
  start();
  put("172.16.1.3", "10.65.0.13");
  const auto others = [](const IpAddress& fixed) {
    return nat::Translation{address("172.16.1.3"), fixed, 0, 0, 0, true};
  };
  EXPECT_THAT(flushed(), ElementsAre(others(address("10.65.0.13"))));
  remove("172.16.1.3");
  run_out_linger();
  EXPECT_FALSE(known("172.16.1.3"));
  EXPECT_THAT(flushed(), IsEmpty());
  forward({"tcp/443=10.65.0.13:8443", "tcp/80=10.65.0.13:80"});
  EXPECT_THAT(flushed(), ElementsAre(others(IpAddress())));
  forward({"tcp/443=10.65.0.14:8443"});
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.13", 443, 8443))) << "moved, not removed";
  Binding whole;
  whole.floating = address("172.16.1.3");
  whole.fixed = address("10.65.0.13");
  bind(whole);
  EXPECT_THAT(flushed(), ElementsAre(tcp("10.65.0.14", 443, 8443)));
  whole.fixed = address("10.65.0.14");
  bind(whole);
  EXPECT_THAT(flushed(),
              ElementsAre(nat::Translation{address("172.16.1.3"), address("10.65.0.13")}));
}

}  // namespace
}  // namespace fipd
