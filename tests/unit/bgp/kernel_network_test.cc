#include "bgp/kernel_network.h"

#include <gmock/gmock.h>

#include "kernel_fixture.h"

namespace fipd::bgp {
namespace {

using testing::Contains;
using testing::Not;

class KernelNetworkTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    auto network = KernelNetwork::open();
    ASSERT_TRUE(network) << network.error().message();
    network_ = std::move(*network);
  }

  std::optional<unsigned> interface_to(const char* destination) {
    const auto found = network_->interface_to(address(destination));
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : std::nullopt;
  }

  std::unique_ptr<KernelNetwork> network_;
};

TEST_F(KernelNetworkTest, ListsLinksWithTheirState) {
  run("ip link set t2 down");
  const auto links = network_->links().value();
  EXPECT_EQ(links.size(), 5U);
  EXPECT_THAT(links, Contains(Link{t1_, "t1", true, true}));
  EXPECT_THAT(links, Contains(Link{t2_, "t2", false, false}));
  // Its other end is up, and has nobody to talk to.
  EXPECT_THAT(links, Contains(Link{if_nametoindex("t2p"), "t2p", true, false}));
}

TEST_F(KernelNetworkTest, ListsAddressesOfBothFamilies) {
  run("ip addr add 192.0.2.1/24 dev t1");
  run("ip addr add 192.0.2.9 peer 192.0.2.10 dev t2");
  run("ip addr add 2001:db8:1::1/64 dev t1 nodad");
  const auto addresses = network_->addresses().value();
  EXPECT_THAT(addresses, Contains(LocalAddress{address("192.0.2.1"), t1_}));
  EXPECT_THAT(addresses, Contains(LocalAddress{address("192.0.2.9"), t2_}));
  EXPECT_THAT(addresses, Contains(LocalAddress{address("2001:db8:1::1"), t1_}));
  EXPECT_THAT(addresses, Contains(LocalAddress{address("127.0.0.1"), 1}));
  EXPECT_THAT(addresses, Not(Contains(LocalAddress{address("192.0.2.10"), t2_})));
}

TEST_F(KernelNetworkTest, TellsWhichInterfacesForward) {
  run("sysctl -qw net.ipv4.ip_forward=1 && sysctl -qw net.ipv4.conf.t2.forwarding=0");
  const auto settings = network_->forwarding().value();
  EXPECT_THAT(settings, Contains(Forwarding{true, std::nullopt, true}));
  EXPECT_THAT(settings, Contains(Forwarding{true, t1_, true}));
  EXPECT_THAT(settings, Contains(Forwarding{true, t2_, false}));
  EXPECT_THAT(settings, Contains(Forwarding{false, std::nullopt, false}));
  EXPECT_EQ(settings.size(), 2U * 6) << "five links and all, in both families";
}

TEST_F(KernelNetworkTest, FindsTheInterfaceOfAnInstance) {
  run("ip route add 10.65.0.13 dev t1 scope link");
  run("ip -6 route add 2001:db8:65::13 dev t2");
  EXPECT_EQ(interface_to("10.65.0.13"), t1_);
  EXPECT_EQ(interface_to("2001:db8:65::13"), t2_);
  run("ip route change 10.65.0.13 dev t2 scope link");
  EXPECT_EQ(interface_to("10.65.0.13"), t2_);
}

TEST_F(KernelNetworkTest, FindsNothingBehindAGateway) {
  run("ip addr add 192.0.2.1/24 dev t1");
  run("ip addr add 2001:db8:1::1/64 dev t1 nodad");
  run("ip route add default via 192.0.2.254");
  run("ip -6 route add default via 2001:db8:1::fe");
  EXPECT_EQ(interface_to("10.65.0.13"), std::nullopt);
  EXPECT_EQ(interface_to("2001:db8:65::13"), std::nullopt);
}

TEST_F(KernelNetworkTest, FindsNothingWithoutARouteOrAtTheHostItself) {
  EXPECT_EQ(interface_to("10.65.0.13"), std::nullopt);
  EXPECT_EQ(interface_to("2001:db8:65::13"), std::nullopt);
  run("ip addr add 10.65.0.1/24 dev t1");
  EXPECT_EQ(interface_to("10.65.0.1"), std::nullopt);
  EXPECT_EQ(interface_to("10.65.0.13"), t1_);
}

TEST_F(KernelNetworkTest, FindsNothingWhereARouteForbids) {
  for (const char* type : {"blackhole", "unreachable", "prohibit"}) {
    run(fmt::format("ip route replace {} 10.65.0.13", type));
    EXPECT_EQ(interface_to("10.65.0.13"), std::nullopt) << type;
    run(fmt::format("ip -6 route replace {} 2001:db8:65::13", type));
    EXPECT_EQ(interface_to("2001:db8:65::13"), std::nullopt) << type;
    run(fmt::format("ip -6 route del {} 2001:db8:65::13", type));
  }
}

}  // namespace
}  // namespace fipd::bgp
