// What drain, health and taking over make the reconciler write.
#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kA = "172.16.1.3";
constexpr const char* kB = "172.16.1.4";

class Steers : public BenchTop {
 protected:
  Steers() { rules_.steering.settle = milliseconds(60); }

  std::vector<std::uint32_t> metrics(const std::string& floating) {
    std::vector<std::uint32_t> all;
    for (const auto& [key, route] : routes_.routes()) {
      if (route.destination == address(floating)) all.push_back(route.metric);
    }
    return all;
  }
  std::string reason(const std::string& floating) {
    const Standing* standing = reconciler_->standings().find(address(floating));
    return standing == nullptr ? "" : standing->reason;
  }
  void drain(const char* floating, bool drained) {
    std::optional<IpAddress> whom;
    if (floating != nullptr) whom = address(floating);
    reconciler_->drain(whom, drained);
    settle();
  }
  // As an earlier run left it.
  void leave_translated() {
    nat_.ruleset = rules_.ruleset;
    nat_.elements[{nat::Map::kFixedByFloating, address(kA)}] = address("10.65.0.13");
    nat_.elements[{nat::Map::kFloatingByFixed, address("10.65.0.13")}] = address(kA);
  }
  void put_checked(const char* floating, const char* fixed) {
    Claim checked = claim(floating, fixed);
    checked.binding.extras.edit().check = HealthCheck{};
    reconciler_->put(std::move(checked));
    settle();
  }
};

TEST_F(Steers, DrainAddsTheDrainedRouteBeforeItRemovesTheOtherAndTouchesNoNat) {
  start();
  put(kA, "10.65.0.13");
  (void)effects();
  drain(kA, true);
  EXPECT_THAT(effects(),
              ElementsAre("add route 172.16.1.3 dev 7", "remove route 172.16.1.3 dev 7"));
  EXPECT_THAT(metrics(kA), ElementsAre(4096));
  EXPECT_EQ(state_of(kA), State::kDrained);
  EXPECT_THAT(connections_.journal, IsEmpty());
  drain(kA, true);
  EXPECT_THAT(effects(), IsEmpty());
  drain(kA, false);
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
  EXPECT_EQ(state_of(kA), State::kRouted);
}

TEST_F(Steers, WhatComesToADrainedHostStartsDrained) {
  start();
  drain(nullptr, true);
  put(kA, "10.65.0.13");
  EXPECT_THAT(metrics(kA), ElementsAre(4096));
  EXPECT_EQ(reason(kA), "drained with the whole host");
  drain(nullptr, false);
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
}

TEST_F(Steers, ARefusedDrainedRouteLeavesTheOldOne) {
  start();
  put(kA, "10.65.0.13");
  put(kB, "10.65.0.14");
  routes_.add_stranger({Prefix(address(kA), 32), 4096, 99});
  drain(nullptr, true);
  EXPECT_EQ(state_of(kA), State::kFailed);
  EXPECT_THAT(metrics(kA), ElementsAre(1024)) << "better announced as before than not at all";
  EXPECT_THAT(metrics(kB), ElementsAre(4096));
}

TEST_F(Steers, ARestartOfADrainedHostWritesNothing) {
  routes_.put({address(kA), 4096, 7});
  leave_translated();
  rules_.sources = 1;
  const KernelParts parts{routes_, network_, nat_, connections_};
  reconciler_.emplace(context_.get_executor(), parts, rules_, events_);
  ASSERT_TRUE(reconciler_->start());
  reconciler_->drain(address(kA), true);
  reconciler_->put(claim(kA, "10.65.0.13"));
  reconciler_->set_complete(0);
  tasks_.spawn("run", reconciler_->run());
  settle();
  EXPECT_THAT(routes_.journal(), IsEmpty());
  EXPECT_EQ(state_of(kA), State::kDrained);
}

TEST_F(Steers, AnAddressThatAnotherHostAnnouncesIsTakenOverThenSettles) {
  start();
  put(kA, "10.65.0.13");
  put(kB, "10.65.0.14");
  reconciler_->noticed_elsewhere(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  EXPECT_THAT(metrics(kB), ElementsAre(1024));
  EXPECT_THAT(reason(kA), HasSubstr("taken over"));
  (void)effects();
  run_for(milliseconds(120));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
  EXPECT_EQ(reason(kA), "");
  EXPECT_THAT(effects(),
              ElementsAre("add route 172.16.1.3 dev 7", "remove route 172.16.1.3 dev 7"));
}

TEST_F(Steers, NoticeOfAnotherHostTakesOverWhatIsNewHereAndNothingElse) {
  rules_.steering.settle = std::chrono::seconds(60);
  rules_.sources = 1;
  start();
  reconciler_->put(claim(kB, "10.65.0.14"));
  reconciler_->set_complete(0);
  put(kA, "10.65.0.13");
  for (const char* each : {kA, kB}) reconciler_->noticed_elsewhere(address(each));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  EXPECT_THAT(metrics(kB), ElementsAre(1024)) << "it was here before";
}

TEST_F(Steers, AnAddressThatWasSeenAloneIsNotTakenBackFromTheHostThatComesLater) {
  rules_.steering.settle = std::chrono::seconds(60);
  start();
  put(kA, "10.65.0.13");
  put(kB, "10.65.0.14");
  reconciler_->seen_alone(address(kA));
  for (const char* each : {kA, kB}) reconciler_->noticed_elsewhere(address(each));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
  EXPECT_THAT(metrics(kB), ElementsAre(512)) << "that one was not";
  remove(kA);
  run_out_linger();
  put(kA, "10.65.0.13");
  reconciler_->noticed_elsewhere(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512)) << "it is new here once more";
}

TEST_F(Steers, AnAddressCaughtInTakingOverByARestartSettlesAfterwards) {
  routes_.put({address(kA), 512, 7});
  leave_translated();
  rules_.sources = 1;
  rules_.steering.settle = milliseconds(300);
  start();
  reconciler_->put(claim(kA, "10.65.0.13"));
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(routes_.journal(), IsEmpty()) << "a restart writes nothing";
  run_for(milliseconds(400));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
}

TEST_F(Steers, AFailingCheckDrainsAndItsReturnUndrains) {
  start();
  std::vector<std::string> told;
  reconciler_->on_check([&](const IpAddress& floating, const Binding* binding) {
    told.push_back(fmt::format("{}{}", binding != nullptr ? "+" : "-", floating));
  });
  put_checked(kA, "10.65.0.13");
  EXPECT_THAT(told, ElementsAre("+172.16.1.3"));
  reconciler_->set_failing(address(kA), "its check icmp to 10.65.0.13 fails: no answer");
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(4096));
  EXPECT_EQ(state_of(kA), State::kDrained);
  EXPECT_THAT(reason(kA), HasSubstr("no answer"));
  reconciler_->set_passing(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
  remove(kA);
  EXPECT_EQ(told.back(), "-172.16.1.3");
}

TEST_F(Steers, AFailingCheckWithdrawsWhereSoConfiguredAndKeepsTheTranslation) {
  rules_.steering.withdraw_failing = true;
  start();
  put_checked(kA, "10.65.0.13");
  (void)effects();
  reconciler_->set_failing(address(kA), "its check fails");
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  EXPECT_EQ(state_of(kA), State::kTranslated);
  EXPECT_TRUE(nat_.elements.contains({nat::Map::kFixedByFloating, address(kA)}));
  run_out_linger();
  EXPECT_THAT(effects(), IsEmpty());
  reconciler_->set_passing(address(kA));
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 7"));
}

TEST_F(Steers, AnAddressWithoutAnInterfaceIsNotChecked) {
  start();
  std::vector<std::string> told;
  reconciler_->on_check([&](const IpAddress& floating, const Binding* binding) {
    told.push_back(fmt::format("{}{}", binding != nullptr ? "+" : "-", floating));
  });
  put_checked(kA, "10.65.0.13");
  routes_.lose_interface(7);
  network_.remove_link(7);
  reconciler_->link_removed(7);
  settle();
  EXPECT_THAT(told, ElementsAre("+172.16.1.3", "-172.16.1.3"));
  EXPECT_EQ(state_of(kA), State::kWaiting);
}

TEST_F(Steers, WhatItsCheckHadWithdrawnStaysWithdrawnOverARestart) {
  leave_translated();
  rules_.sources = 1;
  rules_.steering.withdraw_failing = true;
  start();
  put_checked(kA, "10.65.0.13");
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(routes_.journal(), IsEmpty());
  reconciler_->set_passing(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
}

TEST_F(Steers, WhatIsBeingMigratedHereIsTranslatedAndNotAnnouncedAndTakesOverWhenItIsServed) {
  start();
  Claim target = claim(kA, "10.65.0.13");
  target.role = Claim::Role::kTarget;
  target.peer = "compute1";
  reconciler_->put(target);
  settle();
  EXPECT_THAT(metrics(kA), IsEmpty());
  EXPECT_TRUE(nat_.elements.contains({nat::Map::kFixedByFloating, address(kA)}));
  EXPECT_EQ(state_of(kA), State::kTranslated);
  EXPECT_THAT(reason(kA), HasSubstr("migrated here from compute1"));
  target.role = Claim::Role::kServing;
  reconciler_->put(target);
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  run_for(milliseconds(150));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
}

class Awaits : public Steers {
 protected:
  Awaits() {
    target_ = claim(kA, "10.65.0.13");
    target_.role = Claim::Role::kTarget;
    target_.peer = "compute1";
  }
  void await() {
    reconciler_->on_awaited([this](const IpAddress& floating, unsigned interface,
                                   const std::vector<IpAddress>& fixed) {
      EXPECT_EQ(floating, address(kA));
      told_.push_back(interface == 0 ? "no more" : fmt::format("{} on {}", fixed.at(0), interface));
    });
    reconciler_->put(target_);
    settle();
  }

  Claim target_;
  std::vector<std::string> told_;
};

TEST_F(Awaits, ATargetTakesOverWhenItsInstanceIsHeardAndStaysSoUntilItIsServed) {
  start();
  await();
  EXPECT_THAT(told_, ElementsAre("10.65.0.13 on 7"));
  reconciler_->arrived(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  EXPECT_THAT(reason(kA), HasSubstr("taken over from compute1"));
  run_for(milliseconds(150));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512)) << "the settling time has not begun";
  target_.role = Claim::Role::kServing;
  reconciler_->put(target_);
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  run_for(milliseconds(150));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024));
}

TEST_F(Awaits, AMigrationThatIsGivenUpAfterThatWithdrawsInOrder) {
  start();
  await();
  reconciler_->arrived(address(kA));
  settle();
  (void)effects();
  reconciler_->remove(address(kA), target_.origin);
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  // The next one has to be heard anew.
  told_.clear();
  reconciler_->put(target_);
  settle();
  EXPECT_THAT(metrics(kA), IsEmpty());
  EXPECT_THAT(told_, ElementsAre("10.65.0.13 on 7"));
}

TEST_F(Awaits, NobodyListensForWhatIsServedOrGone) {
  start();
  await();
  target_.role = Claim::Role::kServing;
  reconciler_->put(target_);
  settle();
  EXPECT_THAT(told_, ElementsAre("10.65.0.13 on 7", "no more"));
  reconciler_->arrived(address(kA));
  settle();
  run_for(milliseconds(150));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(1024)) << "what is served takes nothing over";
}

TEST_F(Awaits, NobodyListensOnAnInterfaceThatTheBindingDoesNotName) {
  target_.binding.interface.clear();
  network_.set_route(address("10.65.0.13"), 7);
  start();
  await();
  EXPECT_EQ(state_of(kA), State::kTranslated);
  EXPECT_THAT(told_, IsEmpty()) << "it may be a bridge: anybody could be heard there";
}

TEST_F(Awaits, ATargetIsNotCheckedBeforeItsInstanceIsHeard) {
  std::vector<std::string> checked;
  target_.binding.extras.edit().check = HealthCheck{};
  // A restart in the middle: what is found without a route failed its check, or waits as this one.
  leave_translated();
  rules_.sources = 1;
  start();
  reconciler_->on_check([&](const IpAddress&, const Binding* binding) {
    checked.push_back(binding == nullptr ? "no more" : "checked");
  });
  await();
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(checked, IsEmpty());
  reconciler_->arrived(address(kA));
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  EXPECT_THAT(checked, Contains("checked"));
}

TEST_F(Awaits, ARestartInBetweenWithdrawsNothing) {
  leave_translated();
  routes_.put({address(kA), 512, 7});
  rules_.sources = 1;
  start();
  await();
  reconciler_->set_complete(0);
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(512));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(Steers, WhatHasMovedAwayIsALastResortAndStillTranslated) {
  start();
  put(kA, "10.65.0.13");
  Claim leaving = claim(kA, "10.65.0.13");
  leaving.role = Claim::Role::kLeaving;
  leaving.peer = "compute2";
  reconciler_->put(leaving);
  settle();
  EXPECT_THAT(metrics(kA), ElementsAre(4096));
  EXPECT_TRUE(nat_.elements.contains({nat::Map::kFixedByFloating, address(kA)}));
  EXPECT_THAT(reason(kA), HasSubstr("moves to compute2"));
}

}  // namespace
}  // namespace fipd
