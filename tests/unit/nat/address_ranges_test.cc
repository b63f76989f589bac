#include "nat/address_ranges.h"

#include <sys/socket.h>

#include <gtest/gtest.h>

#include "bytes.h"

namespace fipd::nat {
namespace {

std::string text_of(const std::vector<AddressRange>& ranges) {
  std::string out;
  for (const AddressRange& range : ranges) out += range.to_string() + " ";
  return out;
}

std::vector<Prefix> prefixes(std::initializer_list<const char*> texts) {
  std::vector<Prefix> out;
  for (const char* text : texts) out.push_back(*Prefix::parse(text));
  return out;
}

TEST(AddressRanges, MergesWhatOverlapsOrTouchesAndSorts) {
  const auto all = prefixes(
      {"10.65.0.0/16", "fd00::/8", "10.2.0.0/16", "10.1.0.0/16", "10.65.3.0/24", "192.0.2.1/32"});
  EXPECT_EQ(text_of(ranges_of(all, AF_INET)),
            "10.1.0.0-10.2.255.255 10.65.0.0-10.65.255.255 192.0.2.1 ");
  EXPECT_EQ(text_of(ranges_of(all, AF_INET6)), "fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ");
}

TEST(AddressRanges, ReachesTheEndsOfTheAddressSpace) {
  EXPECT_EQ(text_of(ranges_of(prefixes({"0.0.0.0/0", "10.0.0.0/8"}), AF_INET)),
            "0.0.0.0-255.255.255.255 ");
  EXPECT_EQ(text_of(ranges_of(prefixes({"255.255.255.255/32", "255.255.255.254/32"}), AF_INET)),
            "255.255.255.254-255.255.255.255 ");
}

TEST(AddressRanges, ReadsTheKernelsMarksInAnyOrder) {
  // As `nft --debug=netlink list set` showed 10.1.0.0/16, 10.2.0.0/16, 10.65.0.0/16.
  EXPECT_EQ(text_of(ranges_of({{ip("10.66.0.0"), true},
                               {ip("10.65.0.0"), false},
                               {ip("10.3.0.0"), true},
                               {ip("10.2.0.0"), false},
                               {ip("10.2.0.0"), true},
                               {ip("10.1.0.0"), false},
                               {ip("0.0.0.0"), true}})),
            "10.1.0.0-10.2.255.255 10.65.0.0-10.65.255.255 ");
}

TEST(AddressRanges, TakesARangeWithoutAnEndToTheLastAddress) {
  EXPECT_EQ(text_of(ranges_of({{ip("240.0.0.0"), false}})), "240.0.0.0-255.255.255.255 ");
  EXPECT_EQ(text_of(ranges_of(std::vector<IntervalMark>{})), "");
}

}  // namespace
}  // namespace fipd::nat
