#include "nat/element_message.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <gtest/gtest.h>

#include "bytes.h"
#include "nat/attributes.h"
#include "nat/element_reply.h"

namespace fipd::nat {
namespace {

using Packing = ElementEncoder::Packing;

ElementChange added(Map map, const char* key, const char* value) {
  return {map, ip(key), std::nullopt, ip(value)};
}

std::vector<ElementChange> many(std::size_t count) {
  std::vector<ElementChange> out;
  for (std::size_t i = 0; i < count; ++i) {
    const IpAddress key = boost::asio::ip::address_v4(0xac100000U + static_cast<unsigned>(i));
    out.push_back({Map::kFixedByFloating, key, std::nullopt, key});
  }
  return out;
}

// Bytes on the right: `strace -xx nft add element inet fipd fixed_by_floating { 172.16.1.4 :
// 10.65.0.14 }` with nft 1.0.6; the set's id, by which nft names sets of the same transaction, is
// left out.
TEST(ElementMessage, AddsAsNftDoes) {
  ElementEncoder encoder("fipd");
  const std::vector changes{added(Map::kFixedByFloating, "172.16.1.4", "10.65.0.14")};
  const auto messages = messages_of(encoder.encode(changes, 7, Packing::kMany));
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(to_hex(messages[0]),
            "14000000100001000700000000000000"
            "0000000a");
  EXPECT_EQ(header_of(messages[1]).nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
  EXPECT_EQ(header_of(messages[1]).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
  EXPECT_EQ(to_hex(messages[1].subspan(16)),
            "01000000"
            "0900010066697064"
            "00000000"
            "16000200"
            "66697865645f62795f666c6f6174696e67"
            "000000"
            "20000380"
            "1c0001800c00018008000100ac1001040c000280080001000a41000e");
  EXPECT_EQ(to_hex(messages[2]),
            "14000000110001000900000000000000"
            "0000000a");
}

// `strace -xx nft delete element inet fipd fixed_by_floating { 172.16.1.4 }`.
TEST(ElementMessage, RemovesAsNftDoes) {
  ElementEncoder encoder("fipd");
  const std::vector<ElementChange> changes{
      {Map::kFixedByFloating, ip("172.16.1.4"), ip("10.65.0.14"), std::nullopt}};
  const auto messages = messages_of(encoder.encode(changes, 0, Packing::kMany));
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(header_of(messages[1]).nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM);
  EXPECT_EQ(header_of(messages[1]).nlmsg_flags, NLM_F_REQUEST);
  EXPECT_EQ(to_hex(messages[1].subspan(16)),
            "01000000"
            "0900010066697064"
            "00000000"
            "16000200"
            "66697865645f62795f666c6f6174696e67"
            "000000"
            "14000380"
            "100001800c00018008000100ac100104");
}

// `strace -xx nft add element inet fipd hairpin6 { fd00::2 . fd00::2 }`.
TEST(ElementMessage, ConcatenatesTheKeyOfAHairpinAsNftDoes) {
  ElementEncoder encoder("fipd");
  const std::vector<ElementChange> changes{
      {Map::kHairpin, ip("fd00::2"), std::nullopt, std::monostate()}};
  const auto messages = messages_of(encoder.encode(changes, 0, Packing::kMany));
  ASSERT_EQ(messages.size(), 3u);
  const std::string wanted =
      "30000380"
      "2c0001802800018024000100fd000000000000000000000000000002fd000000000000000000000000000002";
  EXPECT_TRUE(to_hex(messages[1]).ends_with(wanted)) << to_hex(messages[1]);
}

// Below: `strace -xx nft add element inet fipd ...` with nft 1.0.6 for each kind.
std::string list_of(const ElementChange& change) {
  ElementEncoder encoder("t");
  const auto messages = messages_of(encoder.encode(std::vector{change}, 0, Packing::kMany));
  const std::string hex = to_hex(messages.at(1));
  // The list follows the table's name and the set's.
  const std::size_t names = 2 * (NLMSG_HDRLEN + 4 + 8);
  const std::size_t set = std::stoul(hex.substr(names, 2), nullptr, 16);
  return hex.substr(names + 2 * ((set + 3) & ~std::size_t{3}));
}

TEST(ElementMessage, ConcatenatesAForwardAsNftDoes) {
  // { 172.16.1.3 . tcp . 443 : 10.65.0.13 . 8443 }
  EXPECT_EQ(
      list_of({Map::kForwards, {ip("172.16.1.3"), 6, 443}, {}, Endpoint{ip("10.65.0.13"), 8443}}),
      "2c000380"
      "280001801400018010000100ac1001030600000001bb0000"
      "100002800c0001000a41000d20fb0000");
  // { 2001:db8::3 . udp . 53 : fd65::13 . 5353 }
  EXPECT_EQ(
      list_of({Map::kForwards, {ip("2001:db8::3"), 17, 53}, {}, Endpoint{ip("fd65::13"), 5353}}),
      "44000380"
      "40000180200001801c00010020010db80000000000000000000000031100000000350000"
      "1c00028018000100fd65000000000000000000000000001314e90000");
}

TEST(ElementMessage, BeginsACounterWhereItIsToldAsNftDoes) {
  // { 172.16.1.3 counter packets 5 bytes 500 }
  EXPECT_EQ(list_of({Map::kReceived, ip("172.16.1.3"), {}, Counter{5, 500}}),
            "40000380"
            "3c0001800c00018008000100ac100103"
            "2c0007800c000100636f756e746572001c000280"
            "0c00010000000000000001f40c0002000000000000000005");
}

TEST(ElementMessage, LimitsAsNftDoes) {
  // { 172.16.1.3 limit rate over 12500000 bytes/second burst 1000000 bytes }
  EXPECT_EQ(list_of({Map::kRateIn, ip("172.16.1.3"), {}, Rate{12500000, 1000000}}),
            "58000380"
            "540001800c00018008000100ac100103"
            "440007800a0001006c696d697400000034000280"
            "0c0001000000000000bebc200c0002000000000000000001"
            "08000300000f42400800040000000001080005000000"
            "0001");
  // { 2001:db8::3 limit rate over 100/second burst 50 packets }
  EXPECT_EQ(list_of({Map::kNewConnections, ip("2001:db8::3"), {}, Rate{100, 50}}),
            "64000380"
            "60000180180001801400010020010db8000000000000000000000003"
            "440007800a0001006c696d697400000034000280"
            "0c00010000000000000000640c0002000000000000000001"
            "0800030000000032080004000000000008000500000"
            "00001");
  // { 172.16.1.3 ct count over 20 }
  EXPECT_EQ(list_of({Map::kConnections, ip("172.16.1.3"), {}, Count{20}}),
            "3c000380"
            "380001800c00018008000100ac100103"
            "280007800e000100636f6e6e6c696d6974000000140002800800010000000014"
            "0800020000000001");
}

// What is in the buffer from before must not show in an element after.
TEST(ElementMessage, LeavesNothingOfAnEarlierBatchInTheNext) {
  ElementEncoder used("t");
  const auto before = many(2000);
  (void)used.encode(before, 0, Packing::kMany);
  ElementEncoder fresh("t");
  const std::vector<ElementChange> changes{
      {Map::kForwards, {ip("172.16.1.3"), 6, 443}, {}, Endpoint{ip("10.65.0.13"), 8443}}};
  EXPECT_EQ(to_hex(used.encode(changes, 0, Packing::kMany)),
            to_hex(fresh.encode(changes, 0, Packing::kMany)));
}

TEST(ElementMessage, LeavesOutForwardsThatNobodyOfOursWrote) {
  ElementEncoder encoder("t");
  const std::vector<ElementChange> changes{
      {Map::kForwards, {ip("172.16.1.3"), 6, 443}, {}, Endpoint{ip("10.65.0.13"), 8443}}};
  const auto message = messages_of(encoder.encode(changes, 0, Packing::kMany))[1];
  std::vector<Element> read;
  decode_elements(header_of(message), Map::kForwards, false, read);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(
      read[0],
      (Element{Map::kForwards, {ip("172.16.1.3"), 6, 443}, Endpoint{ip("10.65.0.13"), 8443}}));
  // A protocol of more than a byte.
  std::vector<std::byte> foreign(message.begin(), message.end());
  foreign[foreign.size() - 16 - 8 + 1] = std::byte{1};
  read.clear();
  decode_elements(header_of(foreign), Map::kForwards, false, read);
  EXPECT_TRUE(read.empty());
}

TEST(ElementMessage, ReadsALimitThatIsNotLikeOursAsNone) {
  ElementEncoder encoder("t");
  const std::vector<ElementChange> changes{
      {Map::kNewConnections, ip("172.16.1.3"), {}, Rate{100, 50}}};
  const auto message = messages_of(encoder.encode(changes, 0, Packing::kMany))[1];
  std::vector<Element> read;
  decode_elements(header_of(message), Map::kNewConnections, false, read);
  decode_elements(header_of(message), Map::kRateIn, false, read);    // bytes are wanted
  decode_elements(header_of(message), Map::kReceived, false, read);  // no counter: left out
  decode_elements(header_of(message), Map::kConnections, false, read);
  std::vector<std::byte> under(message.begin(), message.end());
  under.back() = std::byte{0};  // matches what is under the limit
  decode_elements(header_of(under), Map::kNewConnections, false, read);
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].value, Value(Rate{100, 50}));
  EXPECT_EQ(read[1].value, Value(Rate{0, 50}));
  EXPECT_EQ(read[2].value, Value(Rate{0, 50}));
}

TEST(ElementMessage, DeletesBeforeItAddsInWhateverOrderTheChangesAre) {
  ElementEncoder encoder("fipd");
  std::vector<ElementChange> changes{
      added(Map::kFixedByFloating, "172.16.1.3", "10.65.0.13"),
      {Map::kFixedByFloating, ip("172.16.1.4"), ip("10.65.0.14"), ip("10.65.0.15")},
      {Map::kFloatingByFixed, ip("10.65.0.14"), ip("172.16.1.4"), std::nullopt}};
  const auto messages = messages_of(encoder.encode(changes, 100, Packing::kMany));
  std::vector<unsigned> types;
  for (const auto& message : messages) types.push_back(header_of(message).nlmsg_type & 0xffU);
  EXPECT_EQ(types,
            (std::vector<unsigned>{NFNL_MSG_BATCH_BEGIN, NFT_MSG_DELSETELEM, NFT_MSG_DELSETELEM,
                                   NFT_MSG_NEWSETELEM, NFNL_MSG_BATCH_END}));
  EXPECT_FALSE(encoder.exact());
  EXPECT_EQ(encoder.change_of(100), ElementEncoder::npos);
  EXPECT_EQ(encoder.change_of(101), 1u);
  EXPECT_EQ(encoder.change_of(102), 2u);
  EXPECT_EQ(encoder.change_of(103), 0u);
  EXPECT_EQ(encoder.change_of(99), ElementEncoder::npos);
}

TEST(ElementMessage, NamesEachChangeWhenAskedForOneElementAMessage) {
  ElementEncoder encoder("fipd");
  auto changes = many(1000);
  changes[17].before = ip("10.0.0.1");
  (void)encoder.encode(changes, 4294967290U, Packing::kOne);  // the number wraps
  EXPECT_TRUE(encoder.exact());
  EXPECT_EQ(encoder.messages(), 1003u);
  EXPECT_EQ(encoder.change_of(4294967291U), 17u);
  EXPECT_EQ(encoder.change_of(4294967292U), 0u);
  EXPECT_EQ(encoder.change_of(4294967292U + 999), 999u);
}

TEST(ElementMessage, SplitsWhereAnAttributesLengthEnds) {
  ElementEncoder encoder("fipd");
  const auto changes = many(5000);
  const auto batch = encoder.encode(changes, 1, Packing::kMany);
  const auto messages = messages_of(batch);
  ASSERT_EQ(messages.size(), 2u + 3u);
  std::vector<Element> read;
  for (const auto& message : messages) {
    std::vector<std::byte> reply(message.begin(), message.end());
    decode_elements(header_of(reply), Map::kFixedByFloating, false, read);
  }
  ASSERT_EQ(read.size(), changes.size());
  for (std::size_t i = 0; i < read.size(); ++i) EXPECT_EQ(read[i].key, changes[i].key);
}

TEST(ElementMessage, GivesBackTheBufferOfABigLoadAndStillEncodes) {
  ElementEncoder encoder("fipd");
  const auto changes = many(100000);
  (void)encoder.encode(changes, 1, Packing::kMany);
  EXPECT_EQ(messages_of(encoder.encode(std::span(changes).first(1), 1, Packing::kMany)).size(), 3u);
}

TEST(ElementMessage, LeavesOutElementsThatAreNotOfTheMapsForm) {
  ElementEncoder encoder("fipd");
  const std::vector<ElementChange> changes{
      {Map::kHairpin, ip("10.65.0.13"), std::nullopt, std::monostate()}};
  const auto batch = encoder.encode(changes, 1, Packing::kMany);
  const auto message = messages_of(batch)[1];
  std::vector<Element> read;
  decode_elements(header_of(message), Map::kFixedByFloating, false, read);
  decode_elements(header_of(message), Map::kHairpin, true, read);
  EXPECT_TRUE(read.empty());
  decode_elements(header_of(message), Map::kHairpin, false, read);
  ASSERT_EQ(read.size(), 1u);
  EXPECT_EQ(read[0], (Element{Map::kHairpin, ip("10.65.0.13"), {}}));
  // Source not destination: an element by somebody else.
  std::vector<std::byte> foreign(message.begin(), message.end());
  const std::size_t destination = foreign.size() - 4;
  foreign[destination] ^= std::byte{1};
  read.clear();
  decode_elements(header_of(foreign), Map::kHairpin, false, read);
  EXPECT_TRUE(read.empty());
}

TEST(ElementMessage, ReadsNothingPastACutMessage) {
  ElementEncoder encoder("fipd");
  const auto changes = many(3);
  const auto batch = encoder.encode(changes, 1, Packing::kMany);
  const auto whole = messages_of(batch)[1];
  for (std::size_t length = sizeof(nlmsghdr); length < whole.size(); ++length) {
    std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    reinterpret_cast<nlmsghdr*>(cut.data())->nlmsg_len = static_cast<std::uint32_t>(length);
    std::vector<Element> read;
    decode_elements(header_of(cut), Map::kFixedByFloating, false, read);
    EXPECT_LT(read.size(), 3u);
  }
}

}  // namespace
}  // namespace fipd::nat
