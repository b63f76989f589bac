#include "bgp/route_message.h"

#include <linux/rtnetlink.h>

#include <gtest/gtest.h>

#include "wire.h"

namespace fipd::bgp {
namespace {

// The bytes were captured from Debian 12's ip (6.1.0) by
//   strace -e trace=sendmsg,sendto,recvmsg -e write=3 -e read=3 <the command>
// in a namespace where t1 is interface 3.
constexpr std::uint32_t kSequence = 0x6b03f113;
constexpr std::uint32_t kLaterSequence = 0x6b03f25a;

IpAddress address(const char* text) { return parse_address(text).value(); }

HostRoute v4() { return {address("203.0.113.7"), 1024, 3}; }
HostRoute v6() { return {address("2001:db8::7"), 512, 3}; }

std::string encoded(RouteAction action, const HostRoute& route, std::uint32_t table,
                    std::uint32_t sequence) {
  std::vector<std::byte> out;
  encode_change(out, RouteChange{action, route}, RouteTableId{table, 172}, sequence, true);
  return hex_of(out);
}

TEST(RouteMessage, AddsLikeIpRouteAdd) {
  // ip route add 203.0.113.7/32 dev t1 table 172 proto 172 scope link metric 1024
  EXPECT_EQ(encoded(RouteAction::kAdd, v4(), 172, kSequence),
            captured("34 00 00 00 18 00 05 06  13 f1 03 6b 00 00 00 00"
                     "02 20 00 00 ac ac fd 01  00 00 00 00 08 00 01 00"
                     "cb 00 71 07 08 00 06 00  00 04 00 00 08 00 04 00"
                     "03 00 00 00"));
}

TEST(RouteMessage, AddsIpv6LikeIpRouteAdd) {
  // ip -6 route add 2001:db8::7/128 dev t1 table 172 proto 172 metric 512
  EXPECT_EQ(encoded(RouteAction::kAdd, v6(), 172, kSequence),
            captured("40 00 00 00 18 00 05 06  13 f1 03 6b 00 00 00 00"
                     "0a 80 00 00 ac ac 00 01  00 00 00 00 14 00 01 00"
                     "20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 07"
                     "08 00 06 00 00 02 00 00  08 00 04 00 03 00 00 00"));
}

TEST(RouteMessage, NamesATableAbove255InAnAttribute) {
  // ip route add 203.0.113.7/32 dev t1 table 5000 proto 172 scope link metric 1024
  EXPECT_EQ(encoded(RouteAction::kAdd, v4(), 5000, kSequence),
            captured("3c 00 00 00 18 00 05 06  13 f1 03 6b 00 00 00 00"
                     "02 20 00 00 00 ac fd 01  00 00 00 00 08 00 01 00"
                     "cb 00 71 07 08 00 0f 00  88 13 00 00 08 00 06 00"
                     "00 04 00 00 08 00 04 00  03 00 00 00"));
}

TEST(RouteMessage, ReplacesLikeIpRouteChangeWhichNeverCreates) {
  // ip route change 203.0.113.7/32 dev t1 table 172 proto 172 scope link metric 1024
  EXPECT_EQ(encoded(RouteAction::kReplace, v4(), 172, kSequence),
            captured("34 00 00 00 18 00 05 01  13 f1 03 6b 00 00 00 00"
                     "02 20 00 00 ac ac fd 01  00 00 00 00 08 00 01 00"
                     "cb 00 71 07 08 00 06 00  00 04 00 00 08 00 04 00"
                     "03 00 00 00"));
  // ip -6 route change 2001:db8::7/128 dev t1 table 5000 proto 172 metric 512
  EXPECT_EQ(encoded(RouteAction::kReplace, v6(), 5000, kLaterSequence),
            captured("48 00 00 00 18 00 05 01  5a f2 03 6b 00 00 00 00"
                     "0a 80 00 00 00 ac 00 01  00 00 00 00 14 00 01 00"
                     "20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 07"
                     "08 00 0f 00 88 13 00 00  08 00 06 00 00 02 00 00"
                     "08 00 04 00 03 00 00 00"));
}

TEST(RouteMessage, RemovesLikeIpRouteDelUnicast) {
  // ip route del unicast 203.0.113.7/32 dev t1 table 172 proto 172 scope link metric 1024
  EXPECT_EQ(encoded(RouteAction::kRemove, v4(), 172, kLaterSequence),
            captured("34 00 00 00 19 00 05 00  5a f2 03 6b 00 00 00 00"
                     "02 20 00 00 ac ac fd 01  00 00 00 00 08 00 01 00"
                     "cb 00 71 07 08 00 06 00  00 04 00 00 08 00 04 00"
                     "03 00 00 00"));
  // ip -6 route del unicast 2001:db8::7/128 dev t1 table 172 proto 172 metric 512
  EXPECT_EQ(encoded(RouteAction::kRemove, v6(), 172, kLaterSequence),
            captured("40 00 00 00 19 00 05 00  5a f2 03 6b 00 00 00 00"
                     "0a 80 00 00 ac ac 00 01  00 00 00 00 14 00 01 00"
                     "20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 07"
                     "08 00 06 00 00 02 00 00  08 00 04 00 03 00 00 00"));
}

TEST(RouteMessage, NamesARealmWhereItIsKeptAndNotOfARemoval) {
  HostRoute coloured = v4();
  coloured.realm = 7;
  // ip route add 203.0.113.7/32 dev t1 table 172 proto 172 scope link metric 1024 realm 7, but for
  // the order of attributes: ip writes the realm before metric and interface
  EXPECT_EQ(encoded(RouteAction::kAdd, coloured, 172, kSequence),
            captured("3c 00 00 00 18 00 05 06  13 f1 03 6b 00 00 00 00"
                     "02 20 00 00 ac ac fd 01  00 00 00 00 08 00 01 00"
                     "cb 00 71 07 08 00 06 00  00 04 00 00 08 00 04 00"
                     "03 00 00 00 08 00 0b 00  07 00 00 00"));
  EXPECT_EQ(encoded(RouteAction::kRemove, coloured, 172, kSequence),
            encoded(RouteAction::kRemove, v4(), 172, kSequence));
  HostRoute coloured6 = v6();
  coloured6.realm = 7;
  EXPECT_EQ(encoded(RouteAction::kAdd, coloured6, 172, kSequence),
            encoded(RouteAction::kAdd, v6(), 172, kSequence));
}

TEST(RouteMessage, AsksForAcknowledgementOnlyWhereTold) {
  std::vector<std::byte> quiet;
  encode_change(quiet, RouteChange{RouteAction::kAdd, v4()}, RouteTableId{172, 172}, 1, false);
  EXPECT_EQ(Message(quiet).header().nlmsg_flags & NLM_F_ACK, 0);
}

TEST(RouteMessage, AsksForTheTableAndTheInterfaceLikeIpRouteShow) {
  std::vector<std::byte> out;
  encode_route_dump(out, AF_INET, 172, 3, kSequence);
  // ip route show table 172 dev t1
  EXPECT_EQ(hex_of(out), captured("2c 00 00 00 1a 00 01 03  13 f1 03 6b 00 00 00 00"
                                  "02 00 00 00 00 00 00 00  00 00 00 00 08 00 0f 00"
                                  "ac 00 00 00 08 00 04 00  03 00 00 00 00 00 00 00"));
  out.clear();
  encode_route_dump(out, AF_INET, 5000, std::nullopt, kSequence);
  // ip route show table 5000
  EXPECT_EQ(hex_of(out), captured("24 00 00 00 1a 00 01 03  13 f1 03 6b 00 00 00 00"
                                  "02 00 00 00 00 00 00 00  00 00 00 00 08 00 0f 00"
                                  "88 13 00 00"));
}

TEST(RouteMessage, LooksUpLikeIpRouteGet) {
  std::vector<std::byte> out;
  encode_route_lookup(out, address("203.0.113.7"), kSequence);
  // ip route get 203.0.113.7, but for the flag RTM_F_LOOKUP_TABLE, which IPv6 refuses
  EXPECT_EQ(hex_of(out), captured("24 00 00 00 1a 00 01 00  13 f1 03 6b 00 00 00 00"
                                  "02 20 00 00 00 00 00 00  00 00 00 00 08 00 01 00"
                                  "cb 00 71 07"));
  out.clear();
  encode_route_lookup(out, address("2001:db8::9"), kLaterSequence);
  // ip -6 route get 2001:db8::9
  EXPECT_EQ(hex_of(out), captured("30 00 00 00 1a 00 01 00  5a f2 03 6b 00 00 00 00"
                                  "0a 80 00 00 00 00 00 00  00 00 00 00 14 00 01 00"
                                  "20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 09"));
}

TEST(RouteMessage, AppendsManyToOneBuffer) {
  std::vector<std::byte> out;
  encode_change(out, RouteChange{RouteAction::kAdd, v4()}, RouteTableId{172, 172}, 1, false);
  const std::size_t first = out.size();
  encode_change(out, RouteChange{RouteAction::kAdd, v6()}, RouteTableId{172, 172}, 2, false);
  Message both(out);
  EXPECT_EQ(both.header().nlmsg_len, first);
  const auto& second = *reinterpret_cast<const nlmsghdr*>(both.bytes().data() + first);
  EXPECT_EQ(second.nlmsg_len, out.size() - first);
  EXPECT_EQ(second.nlmsg_seq, 2U);
}

// The answer to "ip route show table 5000": our route.
constexpr std::string_view kOurs =
    "3c 00 00 00 18 00 22 00  13 f1 03 6b 9c 1a 00 00"
    "02 20 00 00 fc ac fd 01  00 00 00 00 08 00 0f 00"
    "88 13 00 00 08 00 01 00  cb 00 71 07 08 00 06 00"
    "00 04 00 00 08 00 04 00  03 00 00 00";
// "ip -6 route show table 172"
constexpr std::string_view kOurs6 =
    "74 00 00 00 18 00 22 00  13 f1 03 6b 96 1a 00 00"
    "0a 80 00 00 ac ac 00 01  00 00 00 00 08 00 0f 00"
    "ac 00 00 00 14 00 01 00  20 01 0d b8 00 00 00 00"
    "00 00 00 00 00 00 00 07  08 00 06 00 00 02 00 00"
    "08 00 04 00 03 00 00 00  24 00 0c 00 00 00 00 00"
    "00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"
    "00 00 00 00 00 00 00 00  00 00 00 00 05 00 14 00"
    "00 00 00 00";
// 192.0.2.128/25 via 192.0.2.2 dev t1
constexpr std::string_view kGateway =
    "3c 00 00 00 18 00 22 00  5a f2 03 6b 4c 22 00 00 02 19 00 00"
    "fe 03 00 01 00 00 00 00  08 00 0f 00 fe 00 00 00"
    "08 00 01 00 c0 00 02 80  08 00 05 00 c0 00 02 02"
    "08 00 04 00 03 00 00 00";
// 192.0.3.0/24 nexthop via 192.0.2.2 dev t1 weight 1 nexthop dev t1 weight 1
constexpr std::string_view kMultipath =
    "48 00 00 00 18 00 22 00  5a f2 03 6b 4c 22 00 00  02 18 00 00 fe 03 00 01"
    "00 00 00 00 08 00 0f 00  fe 00 00 00 08 00 01 00"
    "c0 00 03 00 1c 00 09 00  10 00 00 00 03 00 00 00"
    "08 00 05 00 c0 00 02 02  08 00 00 00 03 00 00 00";

TEST(RouteMessage, ReadsOurRoutesBack) {
  RouteDump dump;
  const auto route = decode_route(Message(kOurs).header());
  ASSERT_TRUE(route);
  EXPECT_EQ(route->table, 5000U);
  sort_route(*route, RouteTableId{5000, 172}, dump);
  const auto route6 = decode_route(Message(kOurs6).header());
  ASSERT_TRUE(route6);
  sort_route(*route6, RouteTableId{172, 172}, dump);
  EXPECT_EQ(dump.own, (std::vector{v4(), v6()}));
  EXPECT_TRUE(dump.strangers.empty());
}

TEST(RouteMessage, TellsAGatewayFromADirectRoute) {
  const auto gateway = decode_route(Message(kGateway).header());
  ASSERT_TRUE(gateway);
  EXPECT_FALSE(gateway->direct);
  EXPECT_EQ(gateway->destination, Prefix::parse("192.0.2.128/25").value());
  const auto multipath = decode_route(Message(kMultipath).header());
  ASSERT_TRUE(multipath);
  EXPECT_FALSE(multipath->direct);
}

TEST(RouteMessage, TakesForStrangersWhatWeWouldNotHaveWritten) {
  Message message(kOurs);
  auto& body = *reinterpret_cast<rtmsg*>(NLMSG_DATA(&message.header()));
  const auto sorted = [&](unsigned protocol) {
    RouteDump dump;
    sort_route(decode_route(message.header()).value(), RouteTableId{5000, protocol}, dump);
    return dump;
  };
  EXPECT_EQ(sorted(99).strangers,
            (std::vector{StrangerRoute{Prefix(address("203.0.113.7"), 32), 1024, 172}}));
  body.rtm_tos = 8;
  EXPECT_EQ(sorted(172).strangers.size(), 1U);
  body.rtm_tos = 0;
  body.rtm_dst_len = 24;
  EXPECT_EQ(sorted(172).strangers.size(), 1U);
  body.rtm_dst_len = 32;
  // BIRD learns blackholes, too; not what the kernel itself keeps.
  body.rtm_type = RTN_BLACKHOLE;
  EXPECT_EQ(sorted(172).strangers.size(), 1U);
  body.rtm_type = RTN_BROADCAST;
  EXPECT_TRUE(sorted(172).strangers.empty());
  EXPECT_TRUE(sorted(172).own.empty());
}

TEST(RouteMessage, LeavesOutOtherTablesAndClones) {
  Message message(kOurs);
  RouteDump dump;
  sort_route(decode_route(message.header()).value(), RouteTableId{172, 172}, dump);
  reinterpret_cast<rtmsg*>(NLMSG_DATA(&message.header()))->rtm_flags = RTM_F_CLONED;
  sort_route(decode_route(message.header()).value(), RouteTableId{5000, 172}, dump);
  EXPECT_TRUE(dump.own.empty());
  EXPECT_TRUE(dump.strangers.empty());
}

TEST(RouteMessage, RefusesWhatIsNoWholeRoute) {
  Message longer(kOurs);
  reinterpret_cast<rtmsg*>(NLMSG_DATA(&longer.header()))->rtm_dst_len = 33;
  EXPECT_FALSE(decode_route(longer.header()));
  Message family(kOurs);
  reinterpret_cast<rtmsg*>(NLMSG_DATA(&family.header()))->rtm_family = AF_MPLS;
  EXPECT_FALSE(decode_route(family.header()));
  // IPv6 with four bytes of destination.
  reinterpret_cast<rtmsg*>(NLMSG_DATA(&family.header()))->rtm_family = AF_INET6;
  EXPECT_FALSE(decode_route(family.header()));
  Message type(kOurs);
  type.header().nlmsg_type = RTM_NEWLINK;
  EXPECT_FALSE(decode_route(type.header()));
}

TEST(RouteMessage, NeverReadsBeyondACutMessage) {
  const std::vector<std::byte> whole = bytes_of(kOurs6);
  for (std::size_t size = sizeof(nlmsghdr); size < whole.size(); ++size) {
    // A copy of just that many bytes, so that the sanitizer sees one byte too many.
    std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    cut.shrink_to_fit();
    Message message(std::move(cut));
    message.header().nlmsg_len = static_cast<std::uint32_t>(size);
    const auto route = decode_route(message.header());
    if (size < 56) {
      EXPECT_FALSE(route) << size;
    }
  }
}

}  // namespace
}  // namespace fipd::bgp
