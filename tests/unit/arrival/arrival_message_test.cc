#include "daemon/arrival/arrival_message.h"

#include <linux/if_ether.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/arrival/frames.h"

namespace fipd::arrival {
namespace {

std::optional<Heard> decoded(std::uint16_t protocol, std::string_view hex) {
  return decode(protocol, bytes_of(hex));
}

TEST(ArrivalMessage, AnArpSaysWhoSentItWhetherAskingOrAnswering) {
  const Heard expected{parse_address("10.65.0.13").value()};
  EXPECT_EQ(decoded(ETH_P_ARP, kGratuitous), expected);
  EXPECT_EQ(decoded(ETH_P_ARP, kReply), expected);
}

TEST(ArrivalMessage, AProbeForAnAddressIsNobodysWord) { EXPECT_FALSE(decoded(ETH_P_ARP, kProbe)); }

TEST(ArrivalMessage, ARarpSaysThatSomebodyRunsAndNotWho) {
  EXPECT_EQ(decoded(ETH_P_RARP, kRarp), Heard{});
  EXPECT_FALSE(decoded(ETH_P_ARP, kRarp)) << "of the other protocol";
  EXPECT_FALSE(decoded(ETH_P_RARP, kGratuitous)) << "no reverse request";
}

TEST(ArrivalMessage, AnAdvertisementSaysItsTarget) {
  EXPECT_EQ(decoded(ETH_P_IPV6, kAdvertisement), Heard{parse_address("fd00:65::13").value()});
}

TEST(ArrivalMessage, AnAdvertisementThatWasForwardedIsNobodysWord) {
  std::vector<std::byte> bytes = bytes_of(kAdvertisement);
  bytes[7] = std::byte{254};
  EXPECT_FALSE(decode(ETH_P_IPV6, bytes));
}

TEST(ArrivalMessage, WhatIsCutShortIsNothingAtAnyLength) {
  for (const auto& [protocol, hex] :
       {std::pair{ETH_P_ARP, kGratuitous}, {ETH_P_RARP, kRarp}, {ETH_P_IPV6, kAdvertisement}}) {
    std::vector<std::byte> bytes = bytes_of(hex);
    // The advertisement's options may be missing.
    bytes.resize(protocol == ETH_P_IPV6 ? 64 : 28);
    EXPECT_TRUE(decode(static_cast<std::uint16_t>(protocol), bytes));
    while (!bytes.empty()) {
      bytes.pop_back();
      EXPECT_FALSE(decode(static_cast<std::uint16_t>(protocol), bytes)) << bytes.size();
    }
  }
}

TEST(ArrivalMessage, OtherHardwareAndOtherProtocolsAreNothing) {
  EXPECT_FALSE(
      decoded(ETH_P_ARP, "0006 0800 0604 0001 525400123456 0a41000d 000000000000 0a41000d"));
  EXPECT_FALSE(
      decoded(ETH_P_ARP, "0001 86dd 0604 0001 525400123456 0a41000d 000000000000 0a41000d"));
  EXPECT_FALSE(decoded(ETH_P_IP, kGratuitous));
}

}  // namespace
}  // namespace fipd::arrival
