#include "daemon/preview_words.h"

#include <gmock/gmock.h>

namespace fipd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const IpAddress kFloating = *parse_address("172.16.1.3");
const IpAddress kFixed = *parse_address("10.65.0.13");
const IpAddress kOther = *parse_address("10.65.0.14");

PreviewNames names() {
  PreviewNames names;
  names.interface = [](unsigned index) { return fmt::format("tap{}", index); };
  return names;
}

TEST(PreviewWords, AChangeIsADeleteAndAnAddAsNftWantsThem) {
  Preview preview;
  preview.elements = {{nat::Map::kFixedByFloating, kFloating, kFixed, kOther}};
  const PreviewReport report = in_words(preview, names());
  EXPECT_THAT(
      report.commands,
      ElementsAre("nft delete element inet fipd fixed_by_floating { 172.16.1.3 }",
                  "nft add element inet fipd fixed_by_floating { 172.16.1.3 : 10.65.0.14 }"));
  ASSERT_EQ(report.elements.size(), 1U);
  EXPECT_TRUE(report.elements[0].added && report.elements[0].removed);
  EXPECT_EQ(report.elements[0].before, "10.65.0.13");
  EXPECT_EQ(report.elements[0].after, "10.65.0.14");
}

TEST(PreviewWords, EveryKindOfElementHasKeyAndValueApart) {
  const IpAddress v6 = *parse_address("2001:db8::3");
  Preview preview;
  preview.elements = {
      {nat::Map::kForwards, nat::Key(kFloating, 6, 443), std::nullopt, nat::Endpoint{kFixed, 8443}},
      {nat::Map::kHairpin, kFixed, std::nullopt, std::monostate()},
      {nat::Map::kReceived, v6, std::nullopt, nat::Counter{5, 500}},
      {nat::Map::kConnections, kFloating, nat::Count{20}, std::nullopt},
      {nat::Map::kRateIn, kFloating, std::nullopt, nat::Rate{12500000, 65536}}};
  const PreviewReport report = in_words(preview, names());
  std::vector<std::string> words;
  for (const PreviewReport::Element& each : report.elements) {
    words.push_back(fmt::format("{} | {} | {} | {}", each.map, each.key, each.before, each.after));
  }
  EXPECT_THAT(words,
              ElementsAre("forward | 172.16.1.3 . tcp . 443 |  | 10.65.0.13 . 8443",
                          "hairpin | 10.65.0.13 . 10.65.0.13 |  | ",
                          "received6 | 2001:db8::3 |  | counter packets 5 bytes 500",
                          "connections | 172.16.1.3 | ct count over 20 | ",
                          "rate_in | 172.16.1.3 |  | limit rate over 12500000 bytes/second burst "
                          "65536 bytes"));
  EXPECT_EQ(report.commands[3], "nft delete element inet fipd connections { 172.16.1.3 }");
}

TEST(PreviewWords, RoutesAreCommandsOfIp) {
  Preview preview;
  preview.routes = {{bgp::RouteAction::kAdd, {kFloating, 1024, 7}},
                    {bgp::RouteAction::kReplace, {kFloating, 1024, 8, 7}},
                    {bgp::RouteAction::kRemove, {kFloating, 1024, 8, 7}},
                    {bgp::RouteAction::kRemove, {*parse_address("2001:db8::3"), 512, 9}}};
  const PreviewReport report = in_words(preview, names());
  EXPECT_THAT(
      report.commands,
      ElementsAre("ip route add 172.16.1.3 dev tap7 table 172 proto 172 metric 1024 scope "
                  "link",
                  "ip route replace 172.16.1.3 dev tap8 table 172 proto 172 metric 1024 "
                  "scope link realm 7",
                  "ip route delete 172.16.1.3 dev tap8 table 172 proto 172 metric 1024 scope link",
                  "ip -6 route delete 2001:db8::3 dev tap9 table 172 proto 172 metric 512"));
}

TEST(PreviewWords, WhatGoesLaterIsApartAndWhatWaitsIsTold) {
  Preview preview;
  preview.elements_later = {{nat::Map::kFixedByFloating, kFloating, kFixed, std::nullopt}};
  preview.waiting = {{kFloating, "", "interface tap1 is down"}};
  preview.refused = {{kOther, "outside_pools", "10.65.0.14 is outside pools.allowed"}};
  preview.needs_forwards = true;
  const PreviewReport report = in_words(preview, names());
  EXPECT_THAT(report.commands, IsEmpty());
  EXPECT_THAT(report.commands_later,
              ElementsAre("nft delete element inet fipd fixed_by_floating { 172.16.1.3 }"));
  EXPECT_THAT(report.notes, ElementsAre("the rules of forwards are written first",
                                        "10.65.0.14 is refused: 10.65.0.14 is outside "
                                        "pools.allowed",
                                        "172.16.1.3 waits: interface tap1 is down"));
}

}  // namespace
}  // namespace fipd
