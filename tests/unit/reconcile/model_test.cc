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
    rules_.ruleset.accounting = GetParam() % 3 == 0;
    if (GetParam() % 4 == 0) rules_.ruleset.snat = nat::SnatMode::kHairpin;
    if (GetParam() % 5 == 0) rules_.derive.default_limits = Limits{8000, 0, 0, 0, 0, 0, 77};
    const auto journal = routes_.on_change;
    routes_.on_change = [this, journal](const bgp::RouteChange& change) {
      journal(change);
      if (change.action == bgp::RouteAction::kRemove) return;
      const IpAddress& floating = change.route.destination;
      const auto translated =
          std::any_of(nat_.elements.begin(), nat_.elements.end(), [&](const auto& element) {
            const auto& [map, key] = element.first;
            return key.address == floating &&
                   (map == nat::Map::kFixedByFloating || map == nat::Map::kForwards);
          });
      EXPECT_TRUE(translated) << floating;
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
    if (pick(3) == 0) {
      add_forwards(claim.binding);
    } else {
      claim.binding.fixed = an_instance();
    }
    if (pick(4) == 0) {
      claim.binding.extras.edit().limits =
          Limits{8000UL * pick(3), 0, 16000UL * pick(2), 100000, pick(3), pick(2), pick(3)};
    }
    claim.binding.interface = fmt::format("tap{}", 1 + pick(3));
    claim.binding.primary = pick(4) == 0;
    claim.origin = "api";
    bound_[floating] = claim.binding;
    reconciler_->put(std::move(claim));
  }

  IpAddress an_instance() { return address(fmt::format("10.65.0.{}", 1 + pick(6))); }

  void add_forwards(Binding& binding) {
    for (unsigned i = 0; i <= pick(3); ++i) {
      const auto port = static_cast<std::uint16_t>(100 * i + 1 + pick(3));
      const auto count = static_cast<std::uint16_t>(1 + pick(20));
      const auto to = static_cast<std::uint16_t>(1000 + pick(3));
      const Protocol protocol = i == 0 ? Protocol::kTcp : Protocol::kUdp;
      binding.extras.edit().forwards.push_back({protocol, port, count, an_instance(), to});
    }
  }

  void change_a_setting() {
    rules_.ruleset.accounting = !rules_.ruleset.accounting;
    rules_.derive.default_limits.new_connections = pick(3);
    reconciler_->configure(rules_);
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
        break_an_element();
        reconciler_->foreign_commit({1, 1, "nft"});
    }
  }

  // Where somebody counts on, or limits otherwise, it is put right, too.
  void break_an_element() {
    const auto at =
        std::next(nat_.elements.begin(), pick(static_cast<unsigned>(nat_.elements.size())));
    if (std::holds_alternative<IpAddress>(at->second)) {
      at->second = address("10.99.99.99");
    } else {
      nat_.elements.erase(at);
    }
  }

  static void model_limits(const IpAddress& floating, const Limits& limits,
                           nat::FakeNatTable::Elements& elements) {
    const auto rate = [&](nat::Map map, std::uint64_t bits, std::uint64_t burst) {
      if (bits == 0) return;
      const auto bytes = static_cast<std::uint32_t>(burst == 0 ? 65536 : burst);
      elements[{map, floating}] = nat::Rate{bits / 8, bytes};
    };
    rate(nat::Map::kRateIn, limits.in_bits, limits.in_burst);
    rate(nat::Map::kRateOut, limits.out_bits, limits.out_burst);
    if (const std::uint32_t rate_of_new = limits.new_connections; rate_of_new != 0) {
      const std::uint32_t burst = limits.new_connections_burst;
      elements[{nat::Map::kNewConnections, floating}] =
          nat::Rate{rate_of_new, burst == 0 ? rate_of_new : burst};
    }
    if (limits.connections != 0) {
      elements[{nat::Map::kConnections, floating}] = nat::Count{limits.connections};
    }
  }

  // One by one, and by no code of the planner's.
  void model_binding(const Binding& binding, nat::FakeNatTable::Elements& elements) {
    const IpAddress& floating = binding.floating;
    for (const Forward& each : binding.forwards()) {
      for (std::uint16_t i = 0; i < each.count; ++i) {
        const auto port = static_cast<std::uint16_t>(each.port + i);
        const auto to = static_cast<std::uint16_t>(each.fixed_port + i);
        const nat::Key key{floating, static_cast<std::uint8_t>(each.protocol), port};
        elements[{nat::Map::kForwards, key}] = nat::Endpoint{each.fixed, to};
      }
      elements[{nat::Map::kHairpin, each.fixed}] = nat::Value();
    }
    if (binding.forwards().empty()) {
      elements[{nat::Map::kFixedByFloating, floating}] = binding.fixed;
    }
    model_limits(floating, binding.extras->limits.value_or(rules_.derive.default_limits), elements);
    if (!rules_.ruleset.accounting) return;
    elements[{nat::Map::kReceived, floating}] = nat::Counter();
    elements[{nat::Map::kSent, floating}] = nat::Counter();
  }

  void expect_as_modelled() {
    nat::FakeNatTable::Elements elements;
    std::map<bgp::FakeRouteTable::Key, bgp::HostRoute> routes;
    std::map<IpAddress, Binding> source;
    for (const auto& [floating, binding] : bound_) {
      model_binding(binding, elements);
      const unsigned index = up_[binding.interface];
      if (index != 0) routes[{floating, 1024}] = {floating, 1024, index};
      if (!binding.forwards().empty()) continue;
      const auto [at, first] = source.try_emplace(binding.fixed, binding);
      if (!first && binding.primary && !at->second.primary) at->second = binding;
    }
    for (const auto& [fixed, binding] : source) {
      if (rules_.ruleset.snat == nat::SnatMode::kHairpin) {
        elements[{nat::Map::kHairpin, fixed}] = nat::Value();
      } else {
        elements[{nat::Map::kFloatingByFixed, fixed}] = binding.floating;
      }
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
    if (pick(8) == 0) change_a_setting();
    if (pick(2) == 0) run_for(std::chrono::milliseconds(0));
  }
  settle();
  run_for(std::chrono::milliseconds(60));
  settle();
  expect_as_modelled();
}

// However many floating IPs and whatever of them: a change, and a batch, is one transaction. Only
// the first that needs rules of its own is preceded by these.
TEST_P(Model, AChangeIsOneTransactionAndSoIsABatch) {
  start();
  std::size_t before = nat_.journal.size();
  unsigned rules = 0;
  const auto written = [&] {
    std::size_t transactions = 0;
    for (; before < nat_.journal.size(); ++before) {
      const bool elements =
          std::holds_alternative<nat::FakeNatTable::Transaction>(nat_.journal[before]);
      transactions += elements ? 1U : 0U;
      rules += elements ? 0U : 1U;
    }
    return transactions;
  };
  (void)written();
  rules = 0;
  rules_.linger = std::chrono::seconds(60);
  reconciler_->configure(rules_);
  settle();
  for (int round = 0; round < 30; ++round) {
    reconciler_->begin_batch();
    for (unsigned i = 1 + pick(2) * pick(10); i > 0; --i) change_a_binding();
    reconciler_->end_batch();
    settle();
    EXPECT_LE(written(), 1u) << "round " << round;
  }
  EXPECT_LE(rules, 2u) << "forwards and limits, each once";
}

INSTANTIATE_TEST_SUITE_P(Seeds, Model, testing::Range(1u, 31u));

}  // namespace
}  // namespace fipd
