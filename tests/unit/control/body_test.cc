#include <gtest/gtest.h>

#include "daemon/control/request_body.h"

namespace fipd::control {
namespace {

const IpAddress kFloating = *parse_address("172.16.1.3");

TEST(Body, ABatchPutsAndRemovesAtOnce) {
  const auto request = batch_from_json(
      R"({"floating_ips": [{"floating": "172.16.1.3", "fixed": "10.65.0.13"}],
          "remove": ["172.16.1.4"]})");
  ASSERT_TRUE(request) << request.error().message();
  ASSERT_EQ(request->put.size(), 1U);
  EXPECT_EQ(request->put[0].floating, kFloating);
  ASSERT_EQ(request->remove.size(), 1U);
}

TEST(Body, TheSameAddressTwiceIsAnErrorAlsoBetweenPutAndRemove) {
  for (const char* text : {R"({"remove": ["172.16.1.3", "172.16.1.3"]})",
                           R"({"floating_ips": [{"floating": "172.16.1.3", "fixed": "10.65.0.13"}],
            "remove": ["172.16.1.3"]})"}) {
    const auto request = batch_from_json(text);
    ASSERT_FALSE(request) << text;
    EXPECT_NE(request.error().message().find("172.16.1.3"), std::string::npos);
  }
}

TEST(Body, NonsenseIsBadInput) {
  for (const char* text :
       {"", "{", "[]", "{}", "null", R"({"floatingips": []})", R"({"floating_ips": {}})",
        R"({"remove": [3]})", R"({"remove": "172.16.1.3"})", R"({"remove": ["172.16.1"]})",
        R"({"floating_ips": [{"floating": "172.16.1.3"}]})"}) {
    const auto request = batch_from_json(text);
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().code(), ErrorCode::kBadInput) << text;
  }
}

TEST(Body, ADrainIsOfTheHostOrOfAddressesNeverOfBothOrNone) {
  const auto host = drain_from_json(R"({"all": true})");
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_TRUE(host->host);
  const auto single = drain_from_json(R"({"floating_ips": ["172.16.1.3"]})");
  ASSERT_TRUE(single) << single.error().message();
  EXPECT_FALSE(single->host);
  EXPECT_EQ(single->floatings, std::vector{kFloating});
  for (const char* text :
       {"{}", R"({"all": false})", R"({"all": 1})", R"({"all": true, "floating_ips": []})",
        R"({"floating_ips": "172.16.1.3"})", R"({"floating_ips": [{"floating": "172.16.1.3"}]})",
        R"({"floating_ips": ["172.16.1.3", "172.16.1.3"]})", R"({"al": true})"}) {
    EXPECT_FALSE(drain_from_json(text)) << text;
  }
}

TEST(Body, ForwardsAreEditedByTheirPorts) {
  const auto request = forwards_from_json(
      R"({"add": ["tcp/443=10.65.0.13:8443"], "remove": ["udp/5-6"]})", kFloating);
  ASSERT_TRUE(request) << request.error().message();
  ASSERT_TRUE(request->forwards);
  EXPECT_EQ(request->forwards->floating, kFloating);
  EXPECT_EQ(to_string(request->forwards->add.at(0)), "tcp/443=10.65.0.13:8443");
  EXPECT_EQ(to_string(request->forwards->remove.at(0).ports), "udp/5-6");
  for (const char* text : {"{}", "[]", R"({"add": "tcp/1"})", R"({"add": ["tcp/1"]})",
                           R"({"remove": []})", R"({"remove": ["tcp/1-x"]})", R"({"put": []})"}) {
    const auto refused = forwards_from_json(text, kFloating);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().code(), ErrorCode::kBadInput) << text;
  }
}

TEST(Body, DeepNestingIsRefusedNotFollowed) {
  EXPECT_FALSE(batch_from_json(std::string(100000, '[')));
}

TEST(Body, APutTakesItsAddressFromThePath) {
  const auto request = put_from_json(R"({"fixed": "10.65.0.13"})", kFloating);
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->put.at(0).floating, kFloating);
  EXPECT_FALSE(put_from_json(R"({"floating": "172.16.1.4", "fixed": "10.65.0.13"})", kFloating));
}

}  // namespace
}  // namespace fipd::control
