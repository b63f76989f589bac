#include "nat/kernel_connections.h"

#include <linux/netfilter/nfnetlink_conntrack.h>

#include "kernel_fixture.h"

namespace fipd::nat {
namespace {

class KernelConnectionsTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    auto opened = KernelConnections::open();
    ASSERT_TRUE(opened);
    connections_ = std::move(*opened);
  }
  // A tracked UDP connection: original source and destination, reply source and destination.
  static void track(const std::string& words, const std::string& more =
                                                  "--sport 1000 --dport 53 "
                                                  "--reply-port-src 53 --reply-port-dst 1000") {
    int status = 0;
    const std::string said = shell("conntrack -I -p udp -t 600 " + words + " " + more, &status);
    ASSERT_EQ(status, 0) << said;
  }
  // UDP entries of both families that say `words`.
  static std::size_t tracked(const std::string& words = "") {
    return std::stoul(
        shell("(conntrack -L -f ipv4; conntrack -L -f ipv6) 2>/dev/null | grep ^udp | grep -c '" +
              words + "'"));
  }
  std::size_t flush(std::initializer_list<Translation> gone) {
    const auto flushed = connections_->flush(std::vector(gone));
    EXPECT_TRUE(flushed) << flushed.error().message();
    return flushed.value_or(9999);
  }

  // The kernel, whose answers are counted, and which refuses filters as one before Linux 5.8 that
  // looks at what it does not know.
  void watch_the_kernel(bool refuses_filters) {
    auto opened = NetlinkSocket::open(NETLINK_NETFILTER, NetlinkOptions{});
    ASSERT_TRUE(opened);
    auto socket = std::make_shared<NetlinkSocket>(std::move(*opened));
    connections_ = std::make_unique<KernelConnections>(
        [this, socket, refuses_filters](std::span<const std::byte> request,
                                        NetlinkSocket::OnMessage on_message) -> Outcome {
          const auto asked = netfilter_message(*reinterpret_cast<const nlmsghdr*>(request.data()));
          const bool filters = asked && Attributes(asked->attributes).find(CTA_FILTER).has_value();
          filtered_ += filters;
          if (filters && refuses_filters) {
            refuse(EOPNOTSUPP, on_message);
            return {};
          }
          return socket->exchange(request, [&](const nlmsghdr& header) {
            told_ += decode_connection(header).has_value();
            return on_message(header);
          });
        });
  }
  static void refuse(int error, NetlinkSocket::OnMessage on_message) {
    struct {
      nlmsghdr header;
      nlmsgerr body;
    } answer{};
    answer.header.nlmsg_len = sizeof answer;
    answer.header.nlmsg_type = NLMSG_ERROR;
    answer.body.error = -error;
    on_message(answer.header);
  }
  // Of six floating IPs, each with a connection from outside and one that its instance began.
  static void track_six() {
    for (unsigned i = 1; i <= 6; ++i) {
      track(fmt::format("-s 192.0.2.9 -d 172.16.1.{0} -r 10.65.0.{0} -q 192.0.2.9", i));
      track(fmt::format("-s 10.65.0.{0} -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.{0}", i));
    }
  }
  static std::vector<Translation> first_of_six(unsigned count) {
    std::vector<Translation> out;
    for (unsigned i = 1; i <= count; ++i) {
      out.push_back(
          {ip(fmt::format("172.16.1.{}", i).c_str()), ip(fmt::format("10.65.0.{}", i).c_str())});
    }
    return out;
  }

  std::unique_ptr<KernelConnections> connections_;
  unsigned filtered_ = 0;  // requests
  unsigned told_ = 0;      // connections
};

TEST_F(KernelConnectionsTest, AsksForTheConnectionsOfFewAddressesOnly) {
  track_six();
  watch_the_kernel(false);
  EXPECT_EQ(connections_->flush(first_of_six(1)), 2u);
  EXPECT_EQ(told_, 2u);
  EXPECT_EQ(tracked(), 10u);
  EXPECT_EQ(tracked("172.16.1.1 "), 0u);
}

// What the kernel's own filter would dump of IPv6 is everything else.
TEST_F(KernelConnectionsTest, FindsTheOnlyConnectionOfAnIPv6Address) {
  track("-s 2001:db8:9::1 -d 2001:db8::4 -r fd65::14 -q 2001:db8:9::1");
  track("-s fd65::3 -d 2001:db8::3 -r fd65::3 -q 2001:db8::3");  // who calls himself
  EXPECT_EQ(flush({{ip("2001:db8::3"), ip("fd65::3")}}), 1u);
  EXPECT_EQ(flush({{ip("2001:db8::4"), ip("fd65::14"), 17, 53, 53}}), 1u);
  EXPECT_EQ(tracked(), 0u);
}

TEST_F(KernelConnectionsTest, ReadsTheTableOnceForManyAddresses) {
  track_six();
  watch_the_kernel(false);
  EXPECT_EQ(connections_->flush(first_of_six(5)), 10u);
  EXPECT_EQ(filtered_, 0u);
  EXPECT_EQ(told_, 12u);
  EXPECT_EQ(tracked(), 2u);
}

TEST_F(KernelConnectionsTest, ReadsTheTableWhereTheKernelTakesNoFilter) {
  track_six();
  watch_the_kernel(true);
  EXPECT_EQ(connections_->flush(first_of_six(1)), 2u);
  EXPECT_EQ(filtered_, 1u);
  EXPECT_EQ(told_, 12u);
  EXPECT_EQ(tracked(), 10u);
  EXPECT_EQ(tracked("172.16.1.1 "), 0u);
}

TEST_F(KernelConnectionsTest, SaysWhatIsMissingWhereTheKernelHasNoCtnetlink) {
  connections_ = std::make_unique<KernelConnections>(
      [](std::span<const std::byte>, NetlinkSocket::OnMessage on_message) -> Outcome {
        refuse(EINVAL, on_message);
        return {};
      });
  const auto flushed = connections_->flush(first_of_six(1));
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(flushed.error().message().find("nf_conntrack_netlink"), std::string::npos);
}

TEST_F(KernelConnectionsTest, FlushesNothingWhereNothingIsTracked) {
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13")}, {ip("2001:db8::3"), ip("fd65::13")}}), 0u);
  EXPECT_EQ(flush({}), 0u);
}

TEST_F(KernelConnectionsTest, FlushesBothDirectionsOfATranslationAndNothingElse) {
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");    // inbound
  track("-s 10.65.0.13 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3");    // outbound
  track("-s 192.0.2.9 -d 172.16.1.4 -r 10.65.0.14 -q 192.0.2.9");    // another floating IP
  track("-s 10.65.0.13 -d 192.0.2.10 -r 192.0.2.10 -q 172.16.1.5");  // its other floating IP
  track("-s 192.0.2.11 -d 172.16.1.3 -r 10.65.0.99 -q 192.0.2.11");  // another instance's now
  track("-s 192.0.2.12 -d 10.65.0.13 -r 10.65.0.13 -q 192.0.2.12");  // by its fixed IP
  ASSERT_EQ(tracked(), 6u);
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13")}}), 2u);
  EXPECT_EQ(tracked(), 4u);
  EXPECT_EQ(tracked("src=10.65.0.13 dst=192.0.2.9 "), 0u);
  EXPECT_EQ(tracked("src=192.0.2.9 dst=172.16.1.3 "), 0u);
}

TEST_F(KernelConnectionsTest, FlushesIPv6TheSame) {
  track("-s 2001:db8:9::1 -d 2001:db8::3 -r fd65::13 -q 2001:db8:9::1");
  track("-s fd65::13 -d 2001:db8:9::1 -r 2001:db8:9::1 -q 2001:db8::3");
  track("-s 2001:db8:9::1 -d 2001:db8::4 -r fd65::14 -q 2001:db8:9::1");
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");
  EXPECT_EQ(flush({{ip("2001:db8::3"), ip("fd65::13")}}), 2u);
  EXPECT_EQ(tracked(), 2u);
}

TEST_F(KernelConnectionsTest, TakesSeveralTranslationsOfBothFamiliesInOneCall) {
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");
  track("-s 192.0.2.9 -d 172.16.1.4 -r 10.65.0.14 -q 192.0.2.9");
  track("-s 2001:db8:9::1 -d 2001:db8::3 -r fd65::13 -q 2001:db8:9::1");
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13")},
                   {ip("172.16.1.4"), ip("10.65.0.14")},
                   {ip("2001:db8::3"), ip("fd65::13")}}),
            3u);
  EXPECT_EQ(tracked(), 0u);
}

TEST_F(KernelConnectionsTest, FindsConnectionsInZonesAndOtherProtocols) {
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9 -w 5");
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");
  const std::string icmp = shell(
      "conntrack -I -p icmp -t 600 -s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9 "
      "--icmp-type 8 --icmp-code 0 --icmp-id 7");
  ASSERT_NE(icmp.find("1 flow entries"), std::string::npos) << icmp;
  const std::string tcp = shell(
      "conntrack -I -p tcp -t 600 -s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9 --state "
      "ESTABLISHED --sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1");
  ASSERT_NE(tcp.find("1 flow entries"), std::string::npos) << tcp;
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13")}}), 4u);
  EXPECT_NE(shell("conntrack -L").find(" 0 flow entries"), std::string::npos);
}

TEST_F(KernelConnectionsTest, FlushesOnePortAndLeavesTheOthersOfTheAddress) {
  const auto udp = [](const char* client, unsigned port, const char* fixed, unsigned fixed_port) {
    track(fmt::format("-s {0} -d 172.16.1.3 -r {1} -q {0}", client, fixed),
          fmt::format("--sport 1000 --dport {} --reply-port-src {} --reply-port-dst 1000", port,
                      fixed_port));
  };
  udp("192.0.2.1", 53, "10.65.0.13", 5353);
  udp("192.0.2.2", 53, "10.65.0.13", 5354);  // as it was forwarded before
  udp("192.0.2.3", 54, "10.65.0.13", 5353);
  udp("192.0.2.4", 53, "10.65.0.14", 5353);
  const std::string tcp = shell(
      "conntrack -I -p tcp -t 600 -s 192.0.2.5 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.5 --state "
      "ESTABLISHED --sport 1000 --dport 53 --reply-port-src 5353 --reply-port-dst 1000");
  ASSERT_NE(tcp.find("1 flow entries"), std::string::npos) << tcp;
  // What the instance began has nothing to do with a port that was forwarded to it.
  track("-s 10.65.0.13 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3");
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13"), 17, 53, 5353}}), 1u);
  EXPECT_EQ(tracked("src=192.0.2.1 "), 0u);
  EXPECT_EQ(tracked(), 4u);
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13"), 6, 53, 5353}}), 1u);
  EXPECT_NE(shell("conntrack -L -p tcp").find(" 0 flow entries"), std::string::npos);
}

TEST_F(KernelConnectionsTest, TakesAddressesAndPortsOfBothFamiliesInOneCall) {
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");
  track("-s 192.0.2.9 -d 172.16.1.4 -r 10.65.0.14 -q 192.0.2.9");
  track("-s 192.0.2.9 -d 172.16.1.5 -r 10.65.0.15 -q 192.0.2.9");
  track("-s 2001:db8:9::1 -d 2001:db8::3 -r fd65::13 -q 2001:db8:9::1");
  track("-s fd65::14 -d 2001:db8:9::1 -r 2001:db8:9::1 -q 2001:db8::4");
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13"), 17, 53, 53},
                   {ip("172.16.1.4"), ip("10.65.0.14")},
                   {ip("172.16.1.5"), ip("10.65.0.15"), 17, 54, 53},
                   {ip("2001:db8::3"), ip("fd65::13"), 17, 53, 53},
                   {ip("2001:db8::4"), ip("fd65::14")}}),
            4u);
  EXPECT_EQ(tracked(), 1u);
  EXPECT_EQ(tracked("dst=172.16.1.5 "), 1u);
}

TEST_F(KernelConnectionsTest, FlushesWhateverLeadsElsewhereThanToTheOneThatIsRight) {
  track("-s 192.0.2.1 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.1");
  track("-s 192.0.2.2 -d 172.16.1.3 -r 10.65.0.14 -q 192.0.2.2");
  track("-s 10.65.0.14 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3");
  track("-s 10.65.0.13 -d 192.0.2.8 -r 192.0.2.8 -q 172.16.1.3");
  track("-s 172.16.1.3 -d 172.16.1.4 -r 10.65.0.15 -q 172.16.1.3");  // from another host
  Translation others{ip("172.16.1.3"), ip("10.65.0.13")};
  others.others = true;
  EXPECT_EQ(flush({others}), 2u);
  EXPECT_EQ(tracked("10.65.0.14"), 0u);
  others.fixed = IpAddress();
  EXPECT_EQ(flush({others}), 2u);
  EXPECT_EQ(tracked(), 1u);
}

// Hairpin, one floating IP calling another, and what the instance began, by UDP and ICMP.
TEST_F(KernelConnectionsTest, FlushesWhatTheInstanceBeganUnderAFloatingIPThatItLost) {
  track("-s 10.65.0.13 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3");
  track("-s 10.65.0.13 -d 172.16.1.3 -r 10.65.0.13 -q 172.16.1.3");
  track("-s 10.65.0.13 -d 172.16.1.4 -r 10.65.0.14 -q 172.16.1.3");
  track("-s 10.65.0.13 -d 192.0.2.10 -r 192.0.2.10 -q 10.65.0.13");  // under its fixed IP
  track("-s 10.65.0.14 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.4");
  for (const char* ping : {"-s 10.65.0.13 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3",
                           "-s 10.65.0.14 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.4"}) {
    const std::string said = shell(fmt::format(
        "conntrack -I -p icmp -t 600 {} --icmp-type 8 --icmp-code 0 --icmp-id 7", ping));
    ASSERT_NE(said.find("1 flow entries"), std::string::npos) << said;
  }
  EXPECT_EQ(flush({{ip("172.16.1.3"), ip("10.65.0.13")}}), 4u);
  EXPECT_EQ(tracked(), 2u);
  EXPECT_EQ(tracked("dst=172.16.1.3"), 0u);
  EXPECT_NE(shell("conntrack -L -p icmp").find(" 1 flow entries"), std::string::npos);
}

TEST_F(KernelConnectionsTest, CountsWhatGoesToAnAddressAndWhatLeavesUnderIt) {
  track("-s 192.0.2.9 -d 172.16.1.3 -r 10.65.0.13 -q 192.0.2.9");
  track("-s 10.65.0.13 -d 192.0.2.9 -r 192.0.2.9 -q 172.16.1.3");
  track("-s 192.0.2.9 -d 172.16.1.4 -r 10.65.0.14 -q 192.0.2.9");
  track("-s 192.0.2.12 -d 10.65.0.13 -r 10.65.0.13 -q 192.0.2.12");
  track("-s 2001:db8:9::1 -d 2001:db8::3 -r fd65::13 -q 2001:db8:9::1");
  const std::vector<IpAddress> asked{ip("172.16.1.9"), ip("2001:db8::3"), ip("172.16.1.3")};
  EXPECT_EQ(connections_->count(asked), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(connections_->count({}), std::vector<std::size_t>());
  EXPECT_EQ(tracked(), 5u);
}

TEST_F(KernelConnectionsTest, FlushesOfThousandsExactlyTheOnesThatAreGone) {
  // conntrack -R reads what it would be told by -I, one entry a line.
  std::string script;
  for (unsigned i = 0; i < 3000; ++i) {
    const unsigned instance = i % 3 == 0 ? 13 : 14;
    script += fmt::format(
        "-I -p udp -t 600 -s 192.0.2.9 -d 172.16.1.{0} -r 10.65.0.{0} -q 192.0.2.9 --sport {1} "
        "--dport 53 --reply-port-src 53 --reply-port-dst {1}\n",
        instance, 1000 + i);
  }
  const std::string path = fmt::format("/tmp/fipd-conntrack-{}", getpid());
  FILE* file = fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  fputs(script.c_str(), file);
  fclose(file);
  const std::string said = shell("conntrack -R " + path);
  unlink(path.c_str());
  ASSERT_EQ(tracked(), 3000u) << said;
  EXPECT_EQ(flush({{ip("172.16.1.13"), ip("10.65.0.13")}}), 1000u);
  EXPECT_EQ(tracked(), 2000u);
  EXPECT_EQ(tracked("dst=172.16.1.13 "), 0u);
}

}  // namespace
}  // namespace fipd::nat
