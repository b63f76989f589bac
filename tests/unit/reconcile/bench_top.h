#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "bgp/fake_network.h"
#include "bgp/fake_route_table.h"
#include "daemon/base/tasks.h"
#include "daemon/reconcile/reconciler.h"
#include "nat/fake_connections.h"
#include "nat/fake_nat_table.h"

namespace fipd {

inline IpAddress address(const std::string& text) { return *parse_address(text); }

// A reconciler over journalling fakes: effects() tells which effects happened, in which order.
class BenchTop : public testing::Test {
 protected:
  explicit BenchTop(unsigned sources = 0) {
    rules_.linger = std::chrono::milliseconds(30);
    rules_.sources = sources;
    network_.set_link(7, "tap1");
    network_.set_link(8, "tap2");
    routes_.on_change = [this](const bgp::RouteChange& change) {
      static constexpr const char* kWords[] = {"add route", "replace route", "remove route"};
      note_transactions();
      effects_.push_back(fmt::format("{} {} dev {}", kWords[static_cast<int>(change.action)],
                                     change.route.destination, change.route.interface));
    };
  }

  ~BenchTop() override {
    tasks_.cancel();
    context_.restart();
    context_.run_for(std::chrono::milliseconds(200));
  }

  // Builds the reconciler and lets it adopt what the fakes hold.
  void start() {
    const KernelParts parts{routes_, network_, nat_, connections_};
    reconciler_.emplace(context_.get_executor(), parts, rules_, events_);
    ASSERT_TRUE(reconciler_->start());
    tasks_.spawn("run", reconciler_->run());
    tasks_.spawn("flushes", reconciler_->run_flushes());
    settle();
  }

  // Runs the loop until all that is marked has been answered, and the flushes with it.
  void settle() {
    bool settled = false;
    auto done = [&](const std::exception_ptr& error, bool in_time) {
      ASSERT_FALSE(error);
      settled = in_time;
    };
    boost::asio::co_spawn(
        context_, reconciler_->settled(Signal::Clock::now() + std::chrono::seconds(5)), done);
    context_.restart();
    const auto deadline = Signal::Clock::now() + std::chrono::seconds(6);
    while (!settled && Signal::Clock::now() < deadline) context_.run_one_for(kTurn);
    ASSERT_TRUE(settled);
    run_for(std::chrono::milliseconds(2));
    note_transactions();
  }

  void run_for(std::chrono::milliseconds time) {
    context_.restart();
    context_.run_for(time);
    note_transactions();
  }

  void run_out_linger() { run_for(rules_.linger + std::chrono::milliseconds(40)); }

  static Claim claim(const std::string& floating, const std::string& fixed,
                     const std::string& interface = "tap1", const std::string& origin = "api",
                     unsigned rank = 0) {
    Binding binding;
    binding.floating = address(floating);
    binding.fixed = address(fixed);
    binding.interface = interface;
    return {binding, rank, 1, origin};
  }

  void put(const std::string& floating, const std::string& fixed,
           const std::string& interface = "tap1") {
    reconciler_->put(claim(floating, fixed, interface));
    settle();
  }

  void remove(const std::string& floating) {
    reconciler_->remove(address(floating), "api");
    settle();
  }

  // Since the last call.
  std::vector<std::string> effects() {
    note_transactions();
    return std::exchange(effects_, {});
  }

  State state_of(const std::string& floating) {
    const Standing* standing = reconciler_->standings().find(address(floating));
    EXPECT_NE(standing, nullptr) << floating;
    return standing == nullptr ? State::kFailed : standing->state;
  }

  bool known(const std::string& floating) {
    return reconciler_->standings().find(address(floating)) != nullptr;
  }

  static constexpr std::chrono::milliseconds kTurn{50};

  boost::asio::io_context context_{1};
  Tasks tasks_{context_.get_executor(), [](const std::string& name, const std::string& what) {
                 ADD_FAILURE() << name << what;
               }};
  EventHub events_;
  ReconcileRules rules_;
  bgp::FakeRouteTable routes_;
  bgp::FakeNetwork network_;
  nat::FakeNatTable nat_;
  nat::FakeConnections connections_;
  std::optional<Reconciler> reconciler_;

 private:
  static std::string text_of(const nat::ElementChange& change) {
    static constexpr const char* kMaps[] = {"dnat",     "snat",       "hairpin", "forward",
                                            "received", "sent",       "rate_in", "rate_out",
                                            "new",      "connections"};
    std::string key = fmt::format("{} {}", kMaps[static_cast<int>(change.map)], change.key.address);
    if (change.map == nat::Map::kForwards) {
      key += fmt::format(".{}.{}", nat::protocol_name(change.key.protocol), change.key.port);
    }
    if (!change.after) return "-" + key;
    const char* sign = change.before ? "~" : "+";
    return fmt::format("{}{}{}", sign, key, std::visit(ValueText{}, *change.after));
  }

  struct ValueText {
    std::string operator()(std::monostate /*none*/) const { return ""; }
    std::string operator()(const IpAddress& to) const { return fmt::format(":{}", to); }
    std::string operator()(const nat::Endpoint& to) const {
      return fmt::format(":{}.{}", to.address, to.port);
    }
    std::string operator()(const nat::Counter& counter) const {
      return counter.packets == 0 ? "" : fmt::format("={}/{}", counter.packets, counter.bytes);
    }
    std::string operator()(const nat::Rate& rate) const {
      return fmt::format("={}/{}", rate.per_second, rate.burst);
    }
    std::string operator()(const nat::Count& count) const { return fmt::format("={}", count.most); }
  };

  // The transactions that went through since the last note: each is one effect.
  void note_transactions() {
    for (; noted_ < nat_.journal.size(); ++noted_) {
      const auto* transaction = std::get_if<nat::FakeNatTable::Transaction>(&nat_.journal[noted_]);
      if (transaction == nullptr) {
        effects_.push_back("rules");
        continue;
      }
      std::vector<std::string> parts;
      for (const nat::ElementChange& change : *transaction) parts.push_back(text_of(change));
      std::sort(parts.begin(), parts.end());
      effects_.push_back(fmt::format("nat[{}]", fmt::join(parts, ", ")));
    }
  }

  std::vector<std::string> effects_;
  std::size_t noted_ = 0;
};

}  // namespace fipd
