#include "daemon/base/address.h"

#include <gtest/gtest.h>

namespace fipd {
namespace {

TEST(Address, TakesWhatPeopleWriteAndGivesItBack) {
  for (const char* text : {"172.16.1.3", "0.0.0.0", "2001:db8::1", "::"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Address, RefusesShortFormsScopesMappedAddressesAndTrailingText) {
  for (const char* text : {"", "10.1", "010.0.0.1", "1.2.3.4 ", "1.2.3.4/32", "fe80::1%eth0",
                           "::ffff:1.2.3.4", "1.2.3.256", "example.org"}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
  EXPECT_FALSE(parse_address(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(parse_address(std::string(100000, '1')));
}

TEST(Address, BytesAreInNetworkOrder) {
  const auto v4 = to_bytes(*parse_address("172.16.1.3"));
  ASSERT_EQ(v4.size, 4u);
  EXPECT_EQ(v4.data[0], 172);
  EXPECT_EQ(v4.data[3], 3);
  const auto v6 = *parse_address("2001:db8::7");
  const auto bytes = to_bytes(v6);
  EXPECT_EQ(from_bytes(bytes.data, bytes.size), v6);
}

TEST(Prefix, ContainsItsAddressesAndNoOthers) {
  const auto pool = *Prefix::parse("172.16.0.0/12");
  EXPECT_TRUE(pool.contains(*parse_address("172.16.1.3")));
  EXPECT_TRUE(pool.contains(*parse_address("172.31.255.255")));
  EXPECT_FALSE(pool.contains(*parse_address("172.32.0.0")));
  EXPECT_FALSE(pool.contains(*parse_address("2001:db8::1")));
  const auto everything = *Prefix::parse("::/0");
  EXPECT_TRUE(everything.contains(*parse_address("2001:db8::1")));
  EXPECT_FALSE(everything.contains(*parse_address("10.0.0.1")));
}

TEST(Prefix, NamesTheRemedyWhereHostBitsAreSet) {
  const auto wrong = Prefix::parse("172.16.1.3/24");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("write 172.16.1.0/24"), std::string::npos);
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8 ", "::/129"}) {
    EXPECT_FALSE(Prefix::parse(text)) << text;
  }
}

TEST(Prefix, LastIsTheHighestThatItContains) {
  for (const char* text :
       {"10.65.0.0/16", "10.65.0.8/29", "10.65.0.13/32", "0.0.0.0/0", "2001:db8::/33", "::/0"}) {
    const auto prefix = *Prefix::parse(text);
    EXPECT_TRUE(prefix.contains(prefix.last())) << text;
    EXPECT_EQ(Prefix(prefix.last(), prefix.length()), prefix) << text;
  }
  EXPECT_EQ(Prefix::parse("10.65.0.8/29")->last(), *parse_address("10.65.0.15"));
}

TEST(Prefix, OverlapsBothWays) {
  const auto wide = *Prefix::parse("10.0.0.0/8");
  const auto narrow = *Prefix::parse("10.65.0.0/16");
  EXPECT_TRUE(wide.overlaps(narrow));
  EXPECT_TRUE(narrow.overlaps(wide));
  EXPECT_FALSE(narrow.overlaps(*Prefix::parse("10.66.0.0/16")));
}

TEST(AddressHash, SpreadsNeighbours) {
  // 100,000 neighbours in 2^17 buckets: a hash that kept low bits only, or lost them, would show.
  std::vector<unsigned> buckets(1 << 17);
  for (unsigned i = 0; i < 100000; ++i) {
    ++buckets[AddressHash()(boost::asio::ip::address_v4(0xac100000u + i)) & 0x1ffff];
  }
  EXPECT_LT(*std::max_element(buckets.begin(), buckets.end()), 12u);
}

}  // namespace
}  // namespace fipd
