#include "nat/conntrack_message.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "bytes.h"
#include "nat/attributes.h"

namespace fipd::nat {
namespace {

// As strace -xx showed `conntrack -L` receiving it (kernel 6.18), status and counters left out:
// tcp src=192.0.2.9 dst=172.16.1.3 sport=1000 dport=22 [UNREPLIED] src=10.65.0.13 dst=192.0.2.9
// sport=22 dport=1000 zone=5
constexpr const char* kTuple =
    "14000180 08000100c0000209 08000200ac100103 1c000280 0500010006000000 0600020003e80000 "
    "0600030000160000";
constexpr const char* kReply =
    "14000180 080001000a41000d 08000200c0000209 1c000280 0500010006000000 0600020000160000 "
    "0600030003e80000";

std::vector<std::byte> captured(const std::string& more = "06001200 00050000 08000c00 e07dbc88") {
  auto out = from_hex("00000000 0001 0200 00000000 00000000 02000000 34000180" +
                      std::string(kTuple) + "34000280" + kReply + more);
  reinterpret_cast<nlmsghdr*>(out.data())->nlmsg_len = static_cast<std::uint32_t>(out.size());
  return out;
}

TEST(ConntrackMessage, ReadsWhoSpeaksToWhomBeforeAndAfterTranslation) {
  const auto message = captured();
  const auto connection = decode_connection(header_of(message));
  ASSERT_TRUE(connection);
  EXPECT_EQ(connection->family, static_cast<unsigned>(AF_INET));
  EXPECT_EQ(connection->original_source, ip("192.0.2.9"));
  EXPECT_EQ(connection->original_destination, ip("172.16.1.3"));
  EXPECT_EQ(connection->reply_source, ip("10.65.0.13"));
  EXPECT_EQ(connection->reply_destination, ip("192.0.2.9"));
  EXPECT_EQ(connection->protocol, 6);
  EXPECT_EQ(connection->original_destination_port, 22);
  EXPECT_EQ(connection->reply_source_port, 22);
  EXPECT_EQ(connection->id, 0xe07dbc88U);
  EXPECT_EQ(connection->zone, 5);
}

TEST(ConntrackMessage, DeletesByTupleZoneAndId) {
  const auto message = captured();
  std::vector<std::byte> out;
  append_deletion(*decode_connection(header_of(message)), 9, out);
  append_deletion(*decode_connection(header_of(message)), 10, out);
  const auto requests = messages_of(out);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(header_of(requests[1]).nlmsg_seq, 10u);
  EXPECT_EQ(header_of(requests[0]).nlmsg_type, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
  // The attributes as `conntrack -D` sends them, and the id.
  EXPECT_EQ(to_hex(requests[0].subspan(16)),
            to_hex(from_hex(std::string("02000000 34000180") + kTuple +
                            "06001200 00050000 08000c00 e07dbc88")));
}

TEST(ConntrackMessage, LeavesTheDefaultZoneUnnamed) {
  const auto message = captured("08000c00 e07dbc88");
  const auto connection = decode_connection(header_of(message));
  ASSERT_TRUE(connection);
  EXPECT_FALSE(connection->zone);
  std::vector<std::byte> out;
  append_deletion(*connection, 9, out);
  EXPECT_TRUE(to_hex(out).ends_with(to_hex(from_hex(kTuple)) + "08000c00e07dbc88"));
}

TEST(ConntrackMessage, TakesNoMessageThatIsCutInItsTuples) {
  const auto whole = captured();
  const std::size_t tuples = 20 + 2 * 52;
  for (std::size_t length = sizeof(nlmsghdr); length < tuples; ++length) {
    std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    reinterpret_cast<nlmsghdr*>(cut.data())->nlmsg_len = static_cast<std::uint32_t>(length);
    EXPECT_FALSE(decode_connection(header_of(cut))) << length;
  }
}

}  // namespace
}  // namespace fipd::nat
