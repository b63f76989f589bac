#include "daemon/reconcile/preview.h"

#include <map>
#include <random>

#include "daemon/state/forward.h"
#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::IsEmpty;

// What a preview says is what the reconciler then writes, stage by stage.
class Previewing : public BenchTop, public testing::WithParamInterface<unsigned> {
 protected:
  using Key = nat::FakeNatTable::Key;
  // What changed of each element from first to last, in a form that compares.
  using Net = std::map<Key, std::pair<std::optional<nat::Value>, std::optional<nat::Value>>>;

  Previewing() : random_(GetParam()) {
    rules_.linger = std::chrono::seconds(60);
    rules_.ruleset.accounting = GetParam() % 2 == 0;
    if (GetParam() % 3 == 0) rules_.ruleset.snat = nat::SnatMode::kHairpin;
    if (GetParam() % 4 == 0) rules_.derive.default_limits.connections = 9;
    network_.set_route(address("10.65.0.1"), 7);
    network_.set_route(address("10.65.0.2"), 8);
    const auto note = routes_.on_change;
    routes_.on_change = [this, note](const bgp::RouteChange& change) {
      note(change);
      written_.push_back(change);
    };
  }

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

  IpAddress floating() { return address(fmt::format("172.16.1.{}", 1 + pick(10))); }
  // Once in a while a floating IP.
  IpAddress fixed() {
    return pick(12) == 0 ? floating() : address(fmt::format("10.65.0.{}", 1 + pick(4)));
  }

  Binding binding() {
    Binding out;
    out.floating = floating();
    if (pick(2) == 0) out.interface = fmt::format("tap{}", 1 + pick(3));
    out.primary = pick(3) == 0;
    if (pick(2) == 0) {
      out.fixed = fixed();
    } else {
      for (std::uint16_t port = 1; port <= 1 + pick(4); ++port) {
        const auto count = static_cast<std::uint16_t>(1 + pick(3));
        out.extras.edit().forwards.push_back({Protocol::kTcp, static_cast<std::uint16_t>(port * 10),
                                              count, fixed(), static_cast<std::uint16_t>(pick(3))});
      }
    }
    if (pick(3) == 0) {
      out.extras.edit().limits = Limits{8000 * pick(3), 0, 8000 * pick(3), 0, pick(3), 0, pick(3)};
    }
    return out;
  }

  PreviewRequest request() {
    PreviewRequest out;
    out.origin = "api";
    for (unsigned i = pick(4); i > 0; --i) {
      Binding next = binding();
      std::erase_if(out.put, [&](const Binding& each) { return each.floating == next.floating; });
      out.put.push_back(std::move(next));
    }
    for (unsigned i = pick(3); i > 0; --i) out.remove.push_back(floating());
    return out;
  }

  void carry_out(const PreviewRequest& request) {
    reconciler_->begin_batch();
    for (const Binding& each : request.put) {
      reconciler_->put({each, request.rank, ++revision_, request.origin});
    }
    for (const IpAddress& each : request.remove) reconciler_->remove(each, request.origin);
    reconciler_->end_batch();
    settle();
  }

  static void add(const nat::ElementChange& change, Net& net) {
    const auto [at, fresh] = net.try_emplace({change.map, change.key}, change.before, change.after);
    if (!fresh) at->second.second = change.after;
    if (at->second.first == at->second.second) net.erase(at);
  }
  static Net net_of(const std::vector<nat::ElementChange>& changes) {
    Net net;
    for (const nat::ElementChange& each : changes) add(each, net);
    return net;
  }
  // Of the transactions since the last call; there was at most one, apart from rules.
  Net transactions() {
    Net net;
    for (; seen_ < nat_.journal.size(); ++seen_) {
      const auto* each = std::get_if<nat::FakeNatTable::Transaction>(&nat_.journal[seen_]);
      if (each == nullptr) {
        ++rules_written_;
        continue;
      }
      ++transactions_;
      for (const nat::ElementChange& change : *each) add(change, net);
    }
    return net;
  }

  static std::vector<std::string> sorted(const std::vector<bgp::RouteChange>& changes) {
    std::vector<std::string> out;
    for (const bgp::RouteChange& each : changes) {
      out.push_back(fmt::format("{} {} {} {}", static_cast<int>(each.action),
                                each.route.destination, each.route.metric, each.route.interface));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  std::mt19937 random_;
  std::vector<bgp::RouteChange> written_;
  std::uint64_t revision_ = 0;
  std::size_t seen_ = 0;
  unsigned transactions_ = 0;
  unsigned rules_written_ = 0;
  bool lingers_ = false;  // an earlier request's second stage is still to come
};

TEST_P(Previewing, SaysWhatTheReconcilerThenWrites) {
  start();
  (void)transactions();
  for (int round = 0; round < 40; ++round) {
    const PreviewRequest wish = request();
    const Preview said = reconciler_->preview(wish);
    EXPECT_THAT(transactions(), IsEmpty()) << "a preview writes nothing";
    written_.clear();
    transactions_ = rules_written_ = 0;
    carry_out(wish);
    ASSERT_EQ(transactions(), net_of(said.elements)) << "round " << round;
    ASSERT_EQ(sorted(written_), sorted(said.routes)) << "round " << round;
    EXPECT_EQ(transactions_, said.elements.empty() ? 0u : 1u);
    EXPECT_EQ(rules_written_, said.needs_forwards || said.needs_limits ? 1u : 0u);
    for (const Preview::Note& each : said.refused) {
      EXPECT_EQ(state_of(each.floating.to_string()), State::kRefused);
    }
    for (const Preview::Note& each : said.waiting) {
      EXPECT_EQ(state_of(each.floating.to_string()), State::kWaiting);
    }
    if (pick(2) == 0) {
      lingers_ |= !said.elements_later.empty();
      continue;
    }
    // The second stage: those that were removed, and nobody else's.
    std::vector<IpAddress> released;
    reconciler_->standings().for_each([&](const IpAddress& each, const Standing& standing) {
      if (standing.state == State::kWithdrawing || standing.state == State::kRefused) {
        released.push_back(each);
      }
    });
    const bool only_these = !lingers_;
    for (const IpAddress& each : released) reconciler_->release(each);
    settle();
    const Net later = transactions();
    if (only_these) {
      ASSERT_EQ(later, net_of(said.elements_later)) << "round " << round;
    }
    lingers_ = false;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Previewing, testing::Range(1u, 25u));

}  // namespace
}  // namespace fipd
