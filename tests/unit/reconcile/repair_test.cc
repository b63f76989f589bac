#include <future>

#include <boost/asio/post.hpp>

#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Repair : public BenchTop {
 protected:
  // What an earlier run left: the pair and its route.
  void leave(const std::string& floating, const std::string& fixed) {
    nat_.ruleset = rules_.ruleset;
    nat_.elements[{nat::Map::kFixedByFloating, address(floating)}] = address(fixed);
    nat_.elements[{nat::Map::kFloatingByFixed, address(fixed)}] = address(floating);
    routes_.put({address(floating), 1024, 7});
  }
  // Puts before the reconciler has looked at the kernel, as the store's load does.
  void start_with(std::vector<Claim> claims, std::vector<unsigned> complete) {
    const KernelParts parts{routes_, network_, nat_, connections_};
    reconciler_.emplace(context_.get_executor(), parts, rules_, events_);
    ASSERT_TRUE(reconciler_->start());
    for (Claim& each : claims) reconciler_->put(std::move(each));
    for (const unsigned rank : complete) reconciler_->set_complete(rank);
    tasks_.spawn("run", reconciler_->run());
    tasks_.spawn("flushes", reconciler_->run_flushes());
    settle();
  }
};

class TwoSources : public Repair {
 protected:
  TwoSources() { rules_.sources = 2; }
};

TEST_F(Repair, ARestartWithNothingChangedWritesNothing) {
  leave("172.16.1.3", "10.65.0.13");
  start_with({claim("172.16.1.3", "10.65.0.13")}, {});
  EXPECT_THAT(effects(), IsEmpty());
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Repair, TheFirstPassTookNoLongerThanSinceTheStart) {
  std::string told;
  const auto subscription = events_.subscribe([&](const Event& event) {
    if (event.kind == "bound") told = event.text;
  });
  start_with({claim("172.16.1.3", "10.65.0.13")}, {});
  const std::size_t took = told.find("took=");
  ASSERT_NE(took, std::string::npos) << told;
  EXPECT_LT(std::stol(told.substr(took + 5)), 10000) << told;
}

TEST_F(TwoSources, OrphansAreKeptUntilEverySourceIsComplete) {
  leave("172.16.1.3", "10.65.0.13");
  leave("172.16.1.4", "10.65.0.14");
  start_with({claim("172.16.1.3", "10.65.0.13")}, {0});
  EXPECT_THAT(effects(), IsEmpty());
  ASSERT_EQ(reconciler_->problems().size(), 1u);
  EXPECT_TRUE(reconciler_->problems()[0].starts_with("1 floating IP(s) of an earlier run"))
      << "nobody speaks for it; for the other one somebody does";
  reconciler_->set_complete(1);
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.4 dev 7"));
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("nat[-dnat 172.16.1.4, -snat 10.65.0.14]"));
  EXPECT_THAT(reconciler_->problems(), IsEmpty());
}

TEST_F(TwoSources, WhatOneSourceRemovesGoesAlthoughAnotherIsNotComplete) {
  leave("172.16.1.3", "10.65.0.13");
  start_with({claim("172.16.1.3", "10.65.0.13")}, {0});
  remove("172.16.1.3");
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7",
                                     "nat[-dnat 172.16.1.3, -snat 10.65.0.13]"));
}

TEST_F(Repair, AFlushedRulesetIsWrittenAgainWholeAndTheRoutesStay) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  nat_.lose_table();
  reconciler_->foreign_commit({2, 4711, "nft"});
  settle();
  EXPECT_THAT(effects(), ElementsAre("rules",
                                     "nat[+dnat 172.16.1.3:10.65.0.13, "
                                     "+snat 10.65.0.13:172.16.1.3]"));
}

TEST_F(Repair, WhatBeganUntranslatedMeanwhileIsFlushedOnceTheMapsAreBack) {
  start();
  put("172.16.1.3", "10.65.0.13");
  run_for(20ms);
  ASSERT_THAT(connections_.journal, IsEmpty());
  nat_.lose_table();
  nat_.next_failure = Error::from_errno(ENOBUFS, "nft");
  reconciler_->foreign_commit({2, 4711, "nft"});
  settle();
  run_for(50ms);
  const IpAddress floating = address("172.16.1.3");
  ASSERT_EQ(connections_.journal.size(), 1u);
  EXPECT_THAT(connections_.journal[0], ElementsAre(nat::Translation{floating, floating}));
  EXPECT_EQ(nat_.elements.size(), 2u);
}

TEST_F(Repair, NamesTheCulprit) {
  start();
  put("172.16.1.3", "10.65.0.13");
  std::vector<std::string> told;
  const auto subscription = events_.subscribe([&](const Event& event) {
    if (event.kind == "repaired") told.push_back(event.text);
  });
  nat_.elements[{nat::Map::kFixedByFloating, address("172.16.1.3")}] = address("10.9.9.9");
  nat_.elements[{nat::Map::kFixedByFloating, address("172.16.1.9")}] = address("10.9.9.9");
  reconciler_->foreign_commit({2, 4711, "evil"});
  settle();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_NE(told[0].find("evil (pid 4711)"), std::string::npos) << told[0];
  const nat::FakeNatTable::Elements expected = {
      {{nat::Map::kFixedByFloating, address("172.16.1.3")}, address("10.65.0.13")},
      {{nat::Map::kFloatingByFixed, address("10.65.0.13")}, address("172.16.1.3")}};
  EXPECT_EQ(nat_.elements, expected);
}

TEST_F(Repair, ADeletedRouteComesBack) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  const auto reads = reconciler_->counters().kernel_reads;
  routes_.lose({address("172.16.1.3"), 1024, 7});
  reconciler_->route_changed({*Prefix::parse("172.16.1.3/32"), 172, 172, 1024, true, 4711});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 7"));
  EXPECT_EQ(reconciler_->counters().repairs, 1u);
  EXPECT_EQ(reconciler_->counters().kernel_reads, reads) << "the event says all";
}

TEST_F(Repair, ARouteThatIsSaidToBeGoneAndHasComeBackIsFound) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  reconciler_->route_changed({*Prefix::parse("172.16.1.3/32"), 172, 172, 1024, true, 4711});
  settle();
  run_for(std::chrono::milliseconds(300));
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_THAT(effects(), IsEmpty());
}

TEST_F(Repair, ManyRoutesThatAreGoneAreReadAtOnce) {
  start();
  const auto text = [](int i) { return fmt::format("172.16.{}.{}", i / 250, i % 250); };
  reconciler_->begin_batch();
  for (int i = 0; i < 2000; ++i) {
    reconciler_->put(claim(text(i), fmt::format("10.65.{}.{}", i / 250, i % 250)));
  }
  reconciler_->end_batch();
  settle();
  (void)effects();
  const auto reads = reconciler_->counters().kernel_reads;
  routes_.lose_all();
  for (int i = 0; i < 2000; ++i) {
    reconciler_->route_changed({*Prefix::parse(text(i) + "/32"), 172, 172, 1024, true, 4711});
  }
  settle();
  EXPECT_EQ(routes_.routes().size(), 2000u);
  EXPECT_EQ(effects().size(), 2000u);
  EXPECT_EQ(reconciler_->counters().kernel_reads, reads + 1);
}

TEST_F(Repair, ARouteOfOursThatNobodyBoundGoes) {
  start();
  (void)effects();
  routes_.put({address("172.16.1.9"), 1024, 7});
  reconciler_->route_changed({*Prefix::parse("172.16.1.9/32"), 172, 172, 1024, false, 4711});
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.9 dev 7"));
}

TEST_F(Repair, AStrangersRouteIsReportedAndLeft) {
  start();
  const bgp::StrangerRoute stranger{*Prefix::parse("172.16.1.3/32"), 0, 4};
  routes_.add_stranger(stranger);
  reconciler_->route_changed({*Prefix::parse("172.16.1.3/32"), 172, 4, 0, false, 4711});
  settle();
  (void)effects();
  ASSERT_EQ(reconciler_->problems().size(), 1u);
  EXPECT_NE(reconciler_->problems()[0].find("172.16.1.3/32"), std::string::npos);
  put("172.16.1.3", "10.65.0.13");
  remove("172.16.1.3");
  run_out_linger();
  const auto dump = routes_.dump();
  EXPECT_THAT(dump->strangers, ElementsAre(stranger));
}

TEST_F(Repair, EventsThatConcernNothingOfOursCostNoRead) {
  start();
  put("172.16.1.3", "10.65.0.13");
  const auto reads = reconciler_->counters().kernel_reads;
  reconciler_->route_changed({*Prefix::parse("10.0.0.0/8"), 254, 12, 32, false, 4711});
  reconciler_->link_changed(bgp::Link{99, "eth9", true, true});
  settle();
  EXPECT_EQ(reconciler_->counters().kernel_reads, reads);
}

TEST_F(Repair, LostEventsAreFollowedByAFullRead) {
  start();
  put("172.16.1.3", "10.65.0.13");
  routes_.lose_all();
  network_.set_link(9, "tap9");
  reconciler_->network_overrun();
  settle();
  EXPECT_TRUE(routes_.has(address("172.16.1.3")));
  EXPECT_NE(reconciler_->host().link("tap9"), nullptr);
  nat_.lose_table();
  reconciler_->nat_overrun();
  settle();
  EXPECT_EQ(nat_.elements.size(), 2u);
}

// Whoever waits for an answer while the kernel is being read.
class DuringAReading : public Repair {
 protected:
  // Stops the reading of the routes that follows when it has looked, until let_go().
  void stop_in_a_reading() {
    start();
    put("172.16.1.3", "10.65.0.13");
    put("172.16.1.4", "10.65.0.14");
    routes_.on_dumped = [this, first = true]() mutable {
      if (!std::exchange(first, false)) return;
      looked_.set_value();
      let_go_.get_future().wait();
    };
    routes_.lose({address("172.16.1.3"), 1024, 7});
    reconciler_->route_changed({*Prefix::parse("172.16.1.9/32"), 172, 172, 1024, false, 4711});
    const auto looked = looked_.get_future();
    while (looked.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) run_for(1ms);
    (void)effects();
  }
  void lose(const std::string& floating) {
    routes_.lose({address(floating), 1024, 7});
    reconciler_->route_changed({*Prefix::parse(floating + "/32"), 172, 172, 1024, true, 4711});
  }
  // Lets the reading go on when somebody waits for an answer already. What had been written when he
  // got it.
  std::vector<std::string> answered_after() {
    std::optional<std::vector<std::string>> written;
    auto done = [&](const std::exception_ptr&, bool in_time) {
      EXPECT_TRUE(in_time);
      written = effects();
    };
    boost::asio::co_spawn(context_, reconciler_->settled(Signal::Clock::now() + 5s), done);
    boost::asio::post(context_, [this] { let_go_.set_value(); });
    context_.restart();
    while (!written) context_.run_one_for(kTurn);
    return *written;
  }

  std::promise<void> looked_;
  std::promise<void> let_go_;
};

TEST_F(DuringAReading, TheAnswerIsForWhatIsBeingRead) {
  stop_in_a_reading();
  EXPECT_THAT(answered_after(), ElementsAre("add route 172.16.1.3 dev 7"));
}

TEST_F(DuringAReading, TheAnswerIsAlsoForWhatBecameSuspectSince) {
  stop_in_a_reading();
  lose("172.16.1.4");
  EXPECT_THAT(answered_after(),
              UnorderedElementsAre("add route 172.16.1.3 dev 7", "add route 172.16.1.4 dev 7"));
}

TEST_F(DuringAReading, TheAnswerIsAlsoForRulesThatWereLostSince) {
  stop_in_a_reading();
  nat_.lose_table();
  reconciler_->nat_overrun();
  (void)answered_after();
  EXPECT_EQ(nat_.elements.size(), 4u);
}

// As the real one: deaf between mute and unmute.
class CountingEvents : public nat::NatEvents {
 public:
  void mute() override { ++muted; }
  void unmute() override { ++unmuted; }
  int muted = 0;
  int unmuted = 0;
};

TEST_F(Repair, AForeignCommitDuringABigOneOfOursIsFoundByTheGeneration) {
  start();
  CountingEvents events;
  reconciler_->set_nat_events(&events);
  const auto bind_many = [this](int second) {
    reconciler_->begin_batch();
    for (int i = 0; i < 1000; ++i) {
      reconciler_->put(claim(fmt::format("172.{}.{}.{}", second, i / 250, i % 250),
                             fmt::format("10.{}.{}.{}", second, i / 250, i % 250)));
    }
    reconciler_->end_batch();
    settle();
  };
  auto reads = reconciler_->counters().kernel_reads;
  bind_many(16);
  EXPECT_EQ(reconciler_->counters().kernel_reads, reads);
  EXPECT_EQ(events.muted, 1);
  EXPECT_EQ(events.unmuted, 1);
  nat_.foreign_commit_during_next = true;
  bind_many(17);
  run_for(std::chrono::milliseconds(20));
  EXPECT_GT(reconciler_->counters().kernel_reads, reads);
  reconciler_->set_nat_events(nullptr);
}

TEST_F(Repair, NewRulesTakeForceAndMoveTheElements) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  ReconcileRules hairpin = rules_;
  hairpin.ruleset.snat = nat::SnatMode::kHairpin;
  reconciler_->configure(hairpin);
  settle();
  EXPECT_THAT(effects(), ElementsAre("rules", "nat[+hairpin 10.65.0.13, -snat 10.65.0.13]"));
}

TEST_F(Repair, NarrowerPoolsWithdrawWhatTheyNoLongerAdmit) {
  start();
  put("172.16.1.3", "10.65.0.13");
  put("172.16.2.3", "10.65.0.14");
  ReconcileRules narrow = rules_;
  narrow.derive.pools = {*Prefix::parse("172.16.1.0/24")};
  reconciler_->configure(narrow);
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  EXPECT_EQ(state_of("172.16.2.3"), State::kRefused);
  EXPECT_FALSE(routes_.has(address("172.16.2.3")));
}

}  // namespace
}  // namespace fipd
