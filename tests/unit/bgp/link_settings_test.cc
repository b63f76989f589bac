#include "bgp/link_settings.h"

#include <gtest/gtest.h>

#include "kernel_fixture.h"

namespace fipd::bgp {
namespace {

class LinkSettingsTest : public KernelTest {};

TEST_F(LinkSettingsTest, SetsRouteLocalnetOfOneLinkAndSeesThatItIsSet) {
  auto settings = KernelLinkSettings::open().value();
  EXPECT_FALSE(settings->routes_localnet(t1_).value());
  ASSERT_TRUE(settings->route_localnet(t1_));
  EXPECT_TRUE(settings->routes_localnet(t1_).value());
  EXPECT_FALSE(settings->routes_localnet(t2_).value());
  const auto sysctl = [](const char* link) {
    return output_of(fmt::format("cat /proc/sys/net/ipv4/conf/{}/route_localnet", link));
  };
  EXPECT_EQ(sysctl("t1"), "1\n");
  EXPECT_EQ(sysctl("t2"), "0\n");
}

TEST_F(LinkSettingsTest, TellsALinkThatIsGoneFromARefusal) {
  auto settings = KernelLinkSettings::open().value();
  EXPECT_EQ(settings->routes_localnet(9999).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(settings->route_localnet(9999).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace fipd::bgp
