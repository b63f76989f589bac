#include "bgp/network_message.h"

#include <linux/rtnetlink.h>

#include <gtest/gtest.h>

#include "bgp/kernel_answer.h"
#include "wire.h"

namespace fipd::bgp {
namespace {

// Captured as in route_message_test.cc. The head of the answer to "ip link show dev t1" (3: t1,
// <BROADCAST,MULTICAST,UP,LOWER_UP>), its length made to fit.
constexpr std::string_view kLink =
    "30 00 00 00 10 00 00 00  13 f1 03 6b b5 1a 00 00"
    "00 00 01 00 03 00 00 00  43 10 01 00 00 00 00 00"
    "07 00 03 00 74 31 00 00  08 00 0d 00 e8 03 00 00";
// "ip -4 addr show dev t1" after "ip addr add 192.0.2.1/24 dev t1"
constexpr std::string_view kAddress =
    "4c 00 00 00 14 00 22 00  14 f1 03 6b af 1a 00 00"
    "02 18 80 00 03 00 00 00  08 00 01 00 c0 00 02 01"
    "08 00 02 00 c0 00 02 01  07 00 03 00 74 31 00 00"
    "08 00 08 00 80 00 00 00  14 00 06 00 ff ff ff ff"
    "ff ff ff ff 9e 2f 02 00  9e 2f 02 00";
// The same after "ip addr add 192.0.2.1 peer 192.0.2.2 dev t1"
constexpr std::string_view kPeerAddress =
    "4c 00 00 00 14 00 22 00  5b f2 03 6b 56 22 00 00"
    "02 20 80 00 03 00 00 00  08 00 01 00 c0 00 02 02"
    "08 00 02 00 c0 00 02 01  07 00 03 00 74 31 00 00"
    "08 00 08 00 80 00 00 00  14 00 06 00 ff ff ff ff"
    "ff ff ff ff 79 af 02 00  79 af 02 00";
// The answer to "ip route get 203.0.113.7" without a route: Network is unreachable
constexpr std::string_view kUnreachable =
    "38 00 00 00 02 00 00 00  13 f1 03 6b a8 1a 00 00"
    "9b ff ff ff 24 00 00 00  1a 00 01 00 13 f1 03 6b"
    "00 00 00 00 02 20 00 00  00 00 00 00 00 10 00 00"
    "08 00 01 00 cb 00 71 07";

// Of a dump as KernelNetwork asks for it: net.ipv4.conf.lo, net.ipv4.conf.all,
// net.ipv6.conf.default.
constexpr std::string_view kForwarding =
    "4c 00 00 00 50 00 02 00  07 00 00 00 e8 12 00 00"
    "02 00 00 00 08 00 01 00  01 00 00 00 08 00 02 00"
    "01 00 00 00 08 00 03 00  00 00 00 00 08 00 04 00"
    "00 00 00 00 08 00 08 00  00 00 00 00 08 00 05 00"
    "00 00 00 00 08 00 06 00  00 00 00 00";
constexpr std::string_view kForwardingAll =
    "24 00 00 00 50 00 02 00  07 00 00 00 e8 12 00 00"
    "02 00 00 00 08 00 01 00  ff ff ff ff 08 00 02 00"
    "00 00 00 00";
constexpr std::string_view kForwardingDefault6 =
    "24 00 00 00 50 00 02 00  07 00 00 00 e8 12 00 00"
    "0a 00 00 00 08 00 01 00  fe ff ff ff 08 00 02 00"
    "00 00 00 00";

TEST(NetworkMessage, ReadsForwarding) {
  EXPECT_EQ(decode_forwarding(Message(kForwarding).header()), (Forwarding{true, 1, true}));
  EXPECT_EQ(decode_forwarding(Message(kForwardingAll).header()),
            (Forwarding{true, std::nullopt, false}));
  EXPECT_FALSE(decode_forwarding(Message(kForwardingDefault6).header()));
}

TEST(NetworkMessage, TakesNothingFromAChangeOfAnotherSettingThanForwarding) {
  Message message(kForwardingAll);
  message.bytes()[30] = std::byte{3};  // NETCONFA_RP_FILTER
  EXPECT_FALSE(decode_forwarding(message.header()));
}

TEST(NetworkMessage, ReadsALink) {
  const auto message = decode_link(Message(kLink).header());
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->removed);
  EXPECT_EQ(message->link, (Link{3, "t1", true, true}));
}

TEST(NetworkMessage, TellsUpFromCarrier) {
  Message message(kLink);
  auto& body = *reinterpret_cast<ifinfomsg*>(NLMSG_DATA(&message.header()));
  body.ifi_flags &= ~0x10000U;  // IFF_LOWER_UP
  EXPECT_EQ(decode_link(message.header())->link, (Link{3, "t1", true, false}));
  body.ifi_flags &= ~1U;  // IFF_UP
  EXPECT_EQ(decode_link(message.header())->link, (Link{3, "t1", false, false}));
}

TEST(NetworkMessage, DoesNotTakeAPortLeavingItsBridgeForADeletedLink) {
  Message message(kLink);
  message.header().nlmsg_type = RTM_DELLINK;
  EXPECT_TRUE(decode_link(message.header())->removed);
  reinterpret_cast<ifinfomsg*>(NLMSG_DATA(&message.header()))->ifi_family = AF_BRIDGE;
  EXPECT_FALSE(decode_link(message.header()));
}

TEST(NetworkMessage, ReadsAnAddress) {
  const auto message = decode_address(Message(kAddress).header());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->address, (LocalAddress{parse_address("192.0.2.1").value(), 3}));
}

TEST(NetworkMessage, TakesTheOwnEndOfAPointToPointLink) {
  const auto message = decode_address(Message(kPeerAddress).header());
  ASSERT_TRUE(message);
  EXPECT_EQ(message->address.address, parse_address("192.0.2.1").value());
}

TEST(NetworkMessage, ReadsTheKernelsRefusal) {
  const auto verdict = decode_verdict(Message(kUnreachable).header());
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->error, ENETUNREACH);
  EXPECT_EQ(verdict->sequence, 0x6b03f113U);
  EXPECT_EQ(verdict->text, "");
}

TEST(NetworkMessage, NeverReadsBeyondACutMessage) {
  for (const std::string_view hex : {kLink, kAddress, kPeerAddress, kUnreachable, kForwardingAll}) {
    const std::vector<std::byte> whole = bytes_of(hex);
    for (std::size_t size = sizeof(nlmsghdr); size <= whole.size(); ++size) {
      std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      cut.shrink_to_fit();
      Message message(std::move(cut));
      message.header().nlmsg_len = static_cast<std::uint32_t>(size);
      const bool any = decode_link(message.header()) || decode_address(message.header()) ||
                       decode_verdict(message.header()) || decode_forwarding(message.header());
      if (size < 20 || size == whole.size()) {
        EXPECT_EQ(any, size == whole.size()) << size;
      }
    }
  }
}

}  // namespace
}  // namespace fipd::bgp
