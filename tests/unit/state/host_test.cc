#include "daemon/state/host.h"

#include <gtest/gtest.h>

namespace fipd {
namespace {

IpAddress address(const std::string& text) { return *parse_address(text); }

TEST(Host, FollowsARenamedLink) {
  Host host;
  host.put(bgp::Link{7, "tap1", true, true});
  const auto before = host.put(bgp::Link{7, "tap2", true, true});
  ASSERT_TRUE(before);
  EXPECT_EQ(before->name, "tap1");
  EXPECT_EQ(host.link("tap1"), nullptr);
  EXPECT_EQ(host.link("tap2")->index, 7u);
}

TEST(Host, ANameThatMovedToAnotherLinkSurvivesTheFirstOnesEnd) {
  Host host;
  host.put(bgp::Link{7, "tap1", true, true});
  host.put(bgp::Link{8, "tap1", true, true});  // re-created before the removal was heard of
  host.remove_link(7);
  ASSERT_NE(host.link("tap1"), nullptr);
  EXPECT_EQ(host.link("tap1")->index, 8u);
}

TEST(Host, OwnsAnAddressUntilItsLastInterfaceLosesIt) {
  Host host;
  host.put(bgp::LocalAddress{address("10.0.0.1"), 2});
  host.put(bgp::LocalAddress{address("10.0.0.1"), 3});
  host.remove(bgp::LocalAddress{address("10.0.0.1"), 2});
  EXPECT_TRUE(host.owns(address("10.0.0.1")));
  host.remove(bgp::LocalAddress{address("10.0.0.1"), 3});
  EXPECT_FALSE(host.owns(address("10.0.0.1")));
  EXPECT_FALSE(host.owns(address("10.0.0.0")));
}

}  // namespace
}  // namespace fipd
