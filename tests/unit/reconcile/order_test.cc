#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Order : public BenchTop {};

TEST_F(Order, TranslatesAnAddressBeforeRoutingIt) {
  start();
  (void)effects();
  put("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(effects(),
              ElementsAre("nat[+dnat 172.16.1.3:10.65.0.13, +snat 10.65.0.13:172.16.1.3]",
                          "add route 172.16.1.3 dev 7"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Order, WithdrawsTheRouteThenLingersThenForgetsThenFlushes) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  remove("172.16.1.3");
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kWithdrawing);
  EXPECT_THAT(connections_.journal, IsEmpty());
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("nat[-dnat 172.16.1.3, -snat 10.65.0.13]"));
  EXPECT_FALSE(known("172.16.1.3"));
  ASSERT_EQ(connections_.journal.size(), 1u);
  EXPECT_THAT(connections_.journal[0],
              ElementsAre(nat::Translation{address("172.16.1.3"), address("10.65.0.13")}));
}

// Neutron's usual order: the tap goes, then the binding.
TEST_F(Order, AnAddressWhoseTapWentJustBeforeItsBindingLingersToo) {
  start();
  put("172.16.1.3", "10.65.0.13");
  routes_.lose_interface(7);
  reconciler_->link_removed(7);
  settle();
  (void)effects();
  remove("172.16.1.3");
  EXPECT_THAT(effects(), IsEmpty());
  EXPECT_EQ(state_of("172.16.1.3"), State::kWithdrawing);
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("nat[-dnat 172.16.1.3, -snat 10.65.0.13]"));
}

// The kernel tells of IPv6 routes that went with a tap, so that the whole table is read.
TEST_F(Order, AnAddressWhoseRouteWasFoundGoneLingersToo) {
  start();
  put("172.16.1.3", "10.65.0.13");
  routes_.lose_interface(7);
  bgp::RouteEvent event{.destination = *Prefix::parse("2001:db8:1::3/128")};
  event.table = rules_.route_table;
  event.removed = true;
  reconciler_->route_changed(event);
  reconciler_->link_removed(7);
  settle();
  remove("172.16.1.3");
  EXPECT_EQ(state_of("172.16.1.3"), State::kWithdrawing);
  EXPECT_TRUE(nat_.elements.contains({nat::Map::kFixedByFloating, address("172.16.1.3")}));
}

TEST_F(Order, AnAddressThatLostItsRouteLongAgoGoesAtOnce) {
  start();
  put("172.16.1.3", "10.65.0.13");
  put("172.16.1.3", "10.65.0.13", "tap9");
  run_out_linger();
  (void)effects();
  remove("172.16.1.3");
  EXPECT_THAT(effects(), ElementsAre("nat[-dnat 172.16.1.3, -snat 10.65.0.13]"));
}

TEST_F(Order, AReleasedAddressIsForgottenBeforeTheLingerTimeEnds) {
  rules_.linger = std::chrono::seconds(60);
  start();
  put("172.16.1.3", "10.65.0.13");
  remove("172.16.1.3");
  EXPECT_TRUE(known("172.16.1.3"));
  reconciler_->release(address("172.16.1.3"));
  settle();
  EXPECT_FALSE(known("172.16.1.3"));
}

TEST_F(Order, TellsOnceWhenTheRouteHasGone) {
  start();
  std::vector<IpAddress> unrouted;
  reconciler_->on_unrouted([&](const IpAddress& each) { unrouted.push_back(each); });
  put("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(unrouted, IsEmpty());
  remove("172.16.1.3");
  EXPECT_THAT(unrouted, ElementsAre(address("172.16.1.3")));
}

TEST_F(Order, ComingBackWhileLingeringIsNoNatChange) {
  start();
  put("172.16.1.3", "10.65.0.13");
  remove("172.16.1.3");
  (void)effects();
  put("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 7"));
  run_out_linger();
  EXPECT_THAT(effects(), IsEmpty());
}

TEST_F(Order, ARetargetIsOneTransactionAndNoWithdrawal) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  put("172.16.1.3", "10.65.0.14", "tap2");
  EXPECT_THAT(effects(), ElementsAre("nat[+snat 10.65.0.14:172.16.1.3, -snat 10.65.0.13, "
                                     "~dnat 172.16.1.3:10.65.0.14]",
                                     "replace route 172.16.1.3 dev 8"));
  run_for(std::chrono::milliseconds(100));  // flushes have a thread of their own
  ASSERT_EQ(connections_.journal.size(), 1u);
}

TEST_F(Order, ABurstIsOneTransactionAndTenThousandInABatchAreToo) {
  start();
  (void)effects();
  for (int i = 0; i < 512; ++i) {
    reconciler_->put(claim(fmt::format("172.16.{}.{}", i / 256, i % 256),
                           fmt::format("10.65.{}.{}", i / 256, i % 256)));
  }
  settle();
  EXPECT_EQ(nat_.journal.size(), 2u) << "the rules, and one transaction";
  reconciler_->begin_batch();
  for (int i = 0; i < 10000; ++i) {
    reconciler_->put(claim(fmt::format("172.17.{}.{}", i / 256, i % 256),
                           fmt::format("10.66.{}.{}", i / 256, i % 256)));
    if (i % 100 == 0) run_for(std::chrono::milliseconds(0));  // the source yields to the loop
  }
  EXPECT_EQ(nat_.journal.size(), 2u) << "no half of a batch reaches the kernel";
  reconciler_->end_batch();
  settle();
  EXPECT_EQ(nat_.journal.size(), 3u);
  EXPECT_EQ(routes_.routes().size(), 10512u);
}

TEST_F(Order, ThousandsOfFloatingIpsOfOneInstanceAreNotComparedEachWithEach) {
  start();
  reconciler_->begin_batch();
  for (int i = 0; i < 20000; ++i) {
    reconciler_->put(claim(fmt::format("172.16.{}.{}", i / 250, i % 250), "10.65.0.13"));
  }
  reconciler_->end_batch();
  settle();  // 4 * 10^8 look-ups would not be done in its time
  EXPECT_EQ(nat_.elements.size(), 20001u);
  EXPECT_EQ((nat_.elements[{nat::Map::kFloatingByFixed, address("10.65.0.13")}]),
            nat::Value(address("172.16.0.0")));
}

TEST_F(Order, AnAddressWithoutAnInterfaceIsTranslatedAndWaits) {
  start();
  (void)effects();
  put("172.16.1.3", "10.65.0.13", "tap9");
  EXPECT_THAT(effects(),
              ElementsAre("nat[+dnat 172.16.1.3:10.65.0.13, +snat 10.65.0.13:172.16.1.3]"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kWaiting);
  reconciler_->link_changed(bgp::Link{9, "tap9", true, true});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 9"));
  reconciler_->link_changed(bgp::Link{9, "tap9", true, false});
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 9"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kWaiting);
}

TEST_F(Order, ARouteThatVanishedWithItsLinkIsNotRemovedTwiceAndComesBackWithIt) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  routes_.lose_interface(7);
  reconciler_->link_changed(bgp::Link{7, "tap1", false, false});
  settle();
  EXPECT_THAT(effects(), IsEmpty());
  reconciler_->link_changed(bgp::Link{7, "tap1", true, true});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 7"));
}

TEST_F(Order, AReCreatedTapGetsItsRouteAtItsNewIndex) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  routes_.lose_interface(7);
  reconciler_->link_removed(7);
  reconciler_->link_changed(bgp::Link{17, "tap1", true, true});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 17"));
}

TEST_F(Order, ARenamedTapLosesItsRouteAndGetsItBackWithItsName) {
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  reconciler_->link_changed(bgp::Link{7, "other", true, true});
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  reconciler_->link_changed(bgp::Link{7, "tap1", true, true});
  settle();
  EXPECT_THAT(effects(), ElementsAre("add route 172.16.1.3 dev 7"));
}

TEST_F(Order, FollowsTheKernelsRouteToTheFixedIp) {
  network_.set_route(address("10.65.0.13"), 7);
  start();
  put("172.16.1.3", "10.65.0.13", "");
  (void)effects();
  network_.set_route(address("10.65.0.13"), 8);
  reconciler_->route_changed({*Prefix::parse("10.65.0.13/32"), 254, 3, 0, false, 0});
  settle();
  EXPECT_THAT(effects(), ElementsAre("replace route 172.16.1.3 dev 8"));
  network_.remove_route(address("10.65.0.13"));
  reconciler_->route_changed({*Prefix::parse("10.65.0.0/16"), 254, 3, 0, true, 0});
  settle();
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 8"));
  EXPECT_EQ(state_of("172.16.1.3"), State::kWaiting);
}

TEST_F(Order, AnAddressThatTheHostTakesForItselfIsRefusedUntilItGivesItUp) {
  start();
  put("172.16.1.3", "10.65.0.13");
  reconciler_->address_added({address("172.16.1.3"), 2});
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kRefused);
  EXPECT_FALSE(routes_.has(address("172.16.1.3")));
  reconciler_->address_removed({address("172.16.1.3"), 2});
  settle();
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

TEST_F(Order, AFloatingIpBoundAsAnothersFixedIpRefusesThatOther) {
  start();
  put("172.16.1.3", "172.16.1.4");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
  put("172.16.1.4", "10.65.0.14");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRefused);
  EXPECT_EQ(state_of("172.16.1.4"), State::kRouted);
  remove("172.16.1.4");
  EXPECT_EQ(state_of("172.16.1.3"), State::kRouted);
}

// A flush of a full table takes its time: what has come back meanwhile has new connections.
TEST_F(Order, WhatIsInForceAgainIsNotFlushedAnyMore) {
  connections_.walk = std::chrono::milliseconds(200);
  start();
  put("172.16.1.3", "10.65.0.13");
  put("172.16.1.3", "10.65.0.14");
  put("172.16.1.3", "10.65.0.13");
  put("172.16.1.3", "10.65.0.14");
  run_for(std::chrono::milliseconds(700));
  ASSERT_EQ(connections_.journal.size(), 2u);
  for (const auto& flushed : connections_.journal) {
    EXPECT_THAT(flushed,
                ElementsAre(nat::Translation{address("172.16.1.3"), address("10.65.0.13")}));
  }
}

}  // namespace
}  // namespace fipd
