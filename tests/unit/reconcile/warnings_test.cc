#include "daemon/reconcile/warnings.h"

#include "bgp/fake_link_settings.h"
#include "daemon/reconcile/metadata_links.h"
#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

nat::Neighbour neighbour(nat::Neighbour::Kind kind, const char* hook, int priority) {
  return {kind, "ip", "foo", "bar", hook, priority};
}

TEST(Warnings, NameTheChainAndTheRemedy) {
  using Kind = nat::Neighbour::Kind;
  EXPECT_EQ(warning_of(neighbour(Kind::kTranslatesFirst, "prerouting", -200), false),
            "table ip foo chain bar (prerouting, priority -200) translates before fipd, and who "
            "translates first has the connection: give it a priority above -110");
  EXPECT_THAT(warning_of(neighbour(Kind::kTranslatesFirst, "postrouting", 50), false),
              HasSubstr("give it a priority above 90"));
  EXPECT_THAT(warning_of(neighbour(Kind::kDrops, "forward", 0), false),
              HasSubstr("table ip foo chain bar (forward, priority 0) drops by default: packets to "
                        "instances need an accept in it, like 'ct status dnat accept'"));
  EXPECT_EQ(warning_of(neighbour(Kind::kDrops, "input", 0), false), "");
  EXPECT_THAT(warning_of(neighbour(Kind::kDrops, "input", 0), true), HasSubstr("metadata"));
  EXPECT_EQ(warning_of(neighbour(Kind::kDrops, "output", 0), true), "");
}

class Neighbours : public BenchTop {};

TEST_F(Neighbours, AreLookedAtWhenTheStartIsDoneAndWhenTheyChange) {
  nat_.others = {neighbour(nat::Neighbour::Kind::kDrops, "forward", 0)};
  start();
  run_for(std::chrono::milliseconds(50));
  EXPECT_THAT(reconciler_->warnings(), ElementsAre(HasSubstr("drops by default")));
  EXPECT_THAT(reconciler_->problems(), IsEmpty()) << "the daemon is healthy all the same";
  (void)effects();
  nat_.others.clear();
  reconciler_->neighbours_changed();
  run_for(std::chrono::milliseconds(1200));
  EXPECT_THAT(reconciler_->warnings(), IsEmpty());
  EXPECT_THAT(effects(), IsEmpty());
}

TEST_F(Neighbours, AreLookedAtAfterEventsWereLost) {
  start();
  run_for(std::chrono::milliseconds(50));
  ASSERT_THAT(reconciler_->warnings(), IsEmpty());
  nat_.others = {neighbour(nat::Neighbour::Kind::kDrops, "forward", 0)};
  reconciler_->nat_overrun();
  run_for(std::chrono::milliseconds(1200));
  EXPECT_THAT(reconciler_->warnings(), ElementsAre(HasSubstr("drops by default")));
}

class Metadata : public testing::Test {
 protected:
  Metadata() {
    host_.put(bgp::Link{7, "tap1", true, true});
    host_.put(bgp::Link{8, "eth0", true, true});
    options_.listen = {{address("127.0.0.1"), 8775}};
    options_.interfaces = {"tap*", "vnet0"};
  }

  bgp::FakeLinkSettings settings_;
  Host host_;
  nat::MetadataOptions options_;
  MetadataLinks links_{&settings_};
};

TEST_F(Metadata, SetsRouteLocalnetOnEachInterfaceThatMatchesAndIsNotSetYet) {
  host_.put(bgp::Link{9, "tap2", true, true});
  settings_.set.insert(9);
  links_.configure(options_, host_);
  EXPECT_THAT(settings_.journal, ElementsAre(7));
  links_.link_changed({10, "vnet0", false, false});
  links_.link_changed({11, "vnet01", true, true});
  links_.link_changed({10, "vnet0", true, true});
  EXPECT_THAT(settings_.journal, ElementsAre(7, 10));
  EXPECT_THAT(links_.warnings(host_), ElementsAre(HasSubstr("route_localnet is set on the 3")));
}

TEST_F(Metadata, LeavesLinksAloneWhereTheServiceIsNotOnLoopback) {
  options_.listen = {{address("10.0.0.1"), 8775}};
  links_.configure(options_, host_);
  EXPECT_THAT(settings_.journal, IsEmpty());
  EXPECT_THAT(links_.warnings(host_), IsEmpty());
}

TEST_F(Metadata, SaysWhatToDoWhereItCannotSetIt) {
  settings_.failure = Error(ErrorCode::kKernel, "set route_localnet: Operation not permitted");
  links_.configure(options_, host_);
  const auto warnings = links_.warnings(host_);
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_THAT(warnings[1], HasSubstr("set net.ipv4.conf.tap1.route_localnet to 1"));
  settings_.failure.reset();
  links_.link_changed({7, "tap1", true, true});
  EXPECT_EQ(links_.warnings(host_).size(), 1u) << "it tries again";
}

TEST_F(Metadata, AsksForTheAddressThatOnlyTheOperatorCanGive) {
  options_.listen = {{address("::1"), 8775}};
  links_.configure(options_, host_);
  EXPECT_THAT(links_.warnings(host_),
              ElementsAre(HasSubstr("ip address add fe80::a9fe:a9fe/128 dev tap1")));
  host_.put(bgp::LocalAddress{address("fe80::a9fe:a9fe"), 8});
  EXPECT_EQ(links_.warnings(host_).size(), 1u) << "on another interface";
  host_.put(bgp::LocalAddress{address("fe80::a9fe:a9fe"), 7});
  EXPECT_THAT(links_.warnings(host_), IsEmpty());
}

}  // namespace
}  // namespace fipd
