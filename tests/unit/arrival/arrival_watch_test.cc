// On a real interface: what is said at the other end of a veth pair, as an instance says it.
#include "daemon/arrival/arrival_watch.h"

#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cstring>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "tests/unit/arrival/frames.h"
#include "tests/unit/bgp/kernel_fixture.h"

namespace fipd::arrival {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kA = "172.16.1.3";
constexpr const char* kB = "172.16.1.4";

// Of this thread, until the scope ends.
class WithoutRawPackets {
 public:
  WithoutRawPackets() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_.data()), 0);
    auto now = before_;
    now[0].effective &= ~(1U << CAP_NET_RAW);
    EXPECT_EQ(::syscall(SYS_capset, &header_, now.data()), 0);
  }
  ~WithoutRawPackets() { ::syscall(SYS_capset, &header_, before_.data()); }
  WithoutRawPackets(const WithoutRawPackets&) = delete;
  WithoutRawPackets& operator=(const WithoutRawPackets&) = delete;

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> before_{};
};

class ArrivalWatchTest : public bgp::KernelTest {
 protected:
  void TearDown() override {
    watch_.close();
    run_for(std::chrono::milliseconds(5));
  }

  void want(const char* floating, unsigned interface, const char* fixed) {
    watch_.want(address(floating), interface, {address(fixed)});
  }

  // From the instance behind a tap.
  static void say(const char* peer, std::uint16_t protocol, std::string_view hex, int times = 1) {
    const int fd = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(protocol));
    ASSERT_GE(fd, 0);
    sockaddr_ll to{};
    to.sll_family = AF_PACKET;
    to.sll_protocol = htons(protocol);
    to.sll_ifindex = static_cast<int>(if_nametoindex(peer));
    to.sll_halen = 6;
    std::memset(to.sll_addr, 0xff, 6);
    const std::vector<std::byte> bytes = bytes_of(hex);
    for (int i = 0; i < times; ++i) {
      const auto sent = ::sendto(fd, bytes.data(), bytes.size(), 0,
                                 reinterpret_cast<const sockaddr*>(&to), sizeof to);
      EXPECT_EQ(sent, static_cast<ssize_t>(bytes.size()));
    }
    ::close(fd);
  }

  void run_for(std::chrono::milliseconds time) {
    context_.restart();
    context_.run_for(time);
  }
  std::vector<std::string> heard() {
    run_for(std::chrono::milliseconds(60));
    return std::exchange(heard_, {});
  }

  boost::asio::io_context context_;
  std::vector<std::string> heard_;
  ArrivalWatch watch_{context_.get_executor(),
                      [this](const IpAddress& each) { heard_.push_back(each.to_string()); }};
};

TEST_F(ArrivalWatchTest, HearsAnInstanceByItsArpOnceAndOnItsOwnInterface) {
  want(kA, t1_, "10.65.0.13");
  say("t2p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), IsEmpty()) << "another instance says so";
  say("t1p", ETH_P_ARP, kProbe);
  EXPECT_THAT(heard(), IsEmpty());
  say("t1p", ETH_P_ARP, kGratuitous);
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), ElementsAre(kA));
}

TEST_F(ArrivalWatchTest, AnArpSpeaksOnlyForItsOwnAddress) {
  want(kA, t1_, "10.65.0.13");
  want(kB, t1_, "10.65.0.14");
  say("t1p", ETH_P_ARP, kReply);
  EXPECT_THAT(heard(), ElementsAre(kA));
}

TEST_F(ArrivalWatchTest, ARarpSpeaksForAllOfItsInterface) {
  want(kA, t1_, "10.65.0.13");
  want(kB, t1_, "10.65.0.14");
  want("172.16.1.5", t2_, "10.65.0.15");
  say("t1p", ETH_P_RARP, kRarp);
  EXPECT_THAT(heard(), UnorderedElementsAre(kA, kB));
}

TEST_F(ArrivalWatchTest, AnAdvertisementSpeaksForAnIpv6Address) {
  want("2001:db8:1::3", t1_, "fd00:65::13");
  say("t1p", ETH_P_IPV6, kAdvertisement);
  EXPECT_THAT(heard(), ElementsAre("2001:db8:1::3"));
}

TEST_F(ArrivalWatchTest, HearsNothingForWhatIsForgottenOrWaitsElsewhereNow) {
  want(kA, t1_, "10.65.0.13");
  watch_.forget(address(kA));
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), IsEmpty());
  want(kA, t1_, "10.65.0.13");
  want(kA, t2_, "10.65.0.13");
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), IsEmpty());
  say("t2p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), ElementsAre(kA));
}

TEST_F(ArrivalWatchTest, AnInstanceThatShoutsIsHeardAllTheSame) {
  want(kA, t1_, "10.65.0.13");
  say("t1p", ETH_P_ARP, kProbe, 200);
  say("t1p", ETH_P_ARP, kGratuitous);
  run_for(std::chrono::milliseconds(300));
  EXPECT_THAT(heard(), ElementsAre(kA));
}

TEST_F(ArrivalWatchTest, SaysWhereItCannotListen) {
  EXPECT_EQ(watch_.problem(), "");
  want(kA, 9999, "10.65.0.13");
  EXPECT_THAT(watch_.problem(), testing::HasSubstr("interface 9999"));
  want(kB, t1_, "10.65.0.13");
  EXPECT_THAT(watch_.problem(), testing::HasSubstr("interface 9999")) << "still";
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), ElementsAre(kB));
  watch_.forget(address(kA));
  EXPECT_EQ(watch_.problem(), "");
}

TEST_F(ArrivalWatchTest, WithoutTheRightItHearsNothingAndSaysWhichOneIsMissing) {
  {
    const WithoutRawPackets scope;
    want(kA, t1_, "10.65.0.13");
  }
  EXPECT_THAT(watch_.problem(), testing::HasSubstr("CAP_NET_RAW"));
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), IsEmpty());
  watch_.close();
  EXPECT_EQ(watch_.problem(), "");
}

TEST_F(ArrivalWatchTest, BeyondTheLimitOneIsListenedForWhenAnotherIsHeard) {
  ArrivalWatch narrow(
      context_.get_executor(),
      [this](const IpAddress& each) { heard_.push_back(each.to_string()); }, 1);
  narrow.want(address(kA), t1_, {address("10.65.0.13")});
  EXPECT_EQ(narrow.problem(), "");
  narrow.want(address(kB), t2_, {address("10.65.0.13")});
  EXPECT_THAT(narrow.problem(), testing::HasSubstr("2 interfaces wait"));
  say("t2p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), IsEmpty());
  say("t1p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), ElementsAre(kA));
  EXPECT_EQ(narrow.problem(), "");
  say("t2p", ETH_P_ARP, kGratuitous);
  EXPECT_THAT(heard(), ElementsAre(kB));
  narrow.close();
  run_for(std::chrono::milliseconds(5));
}

}  // namespace
}  // namespace fipd::arrival
