#include <map>
#include <random>

#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

// Random changes of bindings, links, and foreign damage; after each settle the fakes hold what a
// model says, and at no moment a route stood without its mapping.
class Model : public BenchTop, public testing::WithParamInterface<unsigned> {
 public:
  Model() : random_(GetParam()) {
    const auto journal = routes_.on_change;
    routes_.on_change = [this, journal](const bgp::RouteChange& change) {
      journal(change);
      if (change.action == bgp::RouteAction::kRemove) return;
      const nat::FakeNatTable::Key key{nat::Map::kFixedByFloating, change.route.destination};
      EXPECT_TRUE(nat_.elements.contains(key)) << change.route.destination;
    };
  }

 protected:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  void change_a_binding() {
    const IpAddress floating = address(fmt::format("172.16.1.{}", 1 + pick(12)));
    if (pick(3) == 0) {
      bound_.erase(floating);
      reconciler_->remove(floating, "api");
      return;
    }
    Claim claim;
    claim.binding.floating = floating;
    claim.binding.fixed = address(fmt::format("10.65.0.{}", 1 + pick(6)));
    claim.binding.interface = fmt::format("tap{}", 1 + pick(3));
    claim.binding.primary = pick(4) == 0;
    claim.origin = "api";
    bound_[floating] = claim.binding;
    reconciler_->put(std::move(claim));
  }

  void change_a_link() {
    const unsigned index = 7 + pick(3);
    const std::string name = fmt::format("tap{}", index - 6);
    const bool up = pick(2) == 0;
    if (!up) routes_.lose_interface(index);
    up_[name] = up ? index : 0;
    reconciler_->link_changed(bgp::Link{index, name, up, up});
  }

  void do_damage() {
    switch (pick(3)) {
      case 0:
        nat_.lose_table();
        reconciler_->foreign_commit({1, 1, "nft"});
        break;
      case 1:
        routes_.lose_all();
        reconciler_->route_changed({*Prefix::parse("172.16.1.1/32"), 172, 172, 1024, true, 1});
        break;
      default:
        if (nat_.elements.empty()) break;
        nat_.elements.begin()->second = address("10.99.99.99");
        reconciler_->foreign_commit({1, 1, "nft"});
    }
  }

  void expect_as_modelled() {
    nat::FakeNatTable::Elements elements;
    std::map<bgp::FakeRouteTable::Key, bgp::HostRoute> routes;
    std::map<IpAddress, Binding> source;
    for (const auto& [floating, binding] : bound_) {
      elements[{nat::Map::kFixedByFloating, floating}] = binding.fixed;
      const auto [at, first] = source.try_emplace(binding.fixed, binding);
      if (!first && binding.primary && !at->second.primary) at->second = binding;
      const unsigned index = up_[binding.interface];
      if (index != 0) routes[{floating, 1024}] = {floating, 1024, index};
    }
    for (const auto& [fixed, binding] : source) {
      elements[{nat::Map::kFloatingByFixed, fixed}] = binding.floating;
    }
    EXPECT_EQ(nat_.elements, elements);
    EXPECT_EQ(routes_.routes(), routes);
  }

  std::mt19937 random_;
  std::map<IpAddress, Binding> bound_;
  std::map<std::string, unsigned> up_{{"tap1", 7}, {"tap2", 8}, {"tap3", 0}};
};

TEST_P(Model, AnySequenceEndsAsTheModelSays) {
  rules_.linger = std::chrono::milliseconds(1);
  start();
  for (int round = 0; round < 25; ++round) {
    for (unsigned i = pick(8); i > 0; --i) change_a_binding();
    if (pick(3) == 0) change_a_link();
    if (pick(4) == 0) do_damage();
    if (pick(2) == 0) run_for(std::chrono::milliseconds(0));
  }
  settle();
  run_for(std::chrono::milliseconds(60));
  settle();
  expect_as_modelled();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Model, testing::Range(1u, 31u));

}  // namespace
}  // namespace fipd
