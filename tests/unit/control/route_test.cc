#include "daemon/control/route.h"

#include <gtest/gtest.h>

namespace fipd::control {
namespace {

using std::chrono::milliseconds;

TEST(Route, TakesIPv6PlainAndPercentEncoded) {
  const auto plain = parse_route("GET", "/v1/floating-ips/2001:db8::7");
  const auto encoded = parse_route("GET", "/v1/floating-ips/2001%3Adb8%3a%3A7");
  ASSERT_TRUE(plain && encoded);
  EXPECT_EQ(plain->floating.to_string(), "2001:db8::7");
  EXPECT_EQ(plain->floating, encoded->floating);
}

TEST(Route, KnowsEveryPathOfTheApi) {
  const auto endpoint = [](std::string_view method, std::string_view target) {
    const auto route = parse_route(method, target);
    EXPECT_TRUE(route) << target;
    return route ? route->endpoint : Endpoint::kOptions;
  };
  EXPECT_EQ(endpoint("GET", "/v1/status"), Endpoint::kStatus);
  EXPECT_EQ(endpoint("GET", "/v1/peers"), Endpoint::kPeers);
  EXPECT_EQ(endpoint("GET", "/v1/floating-ips"), Endpoint::kList);
  EXPECT_EQ(endpoint("POST", "/v1/floating-ips"), Endpoint::kBatch);
  EXPECT_EQ(endpoint("PUT", "/v1/floating-ips/10.0.0.1"), Endpoint::kPut);
  EXPECT_EQ(endpoint("DELETE", "/v1/floating-ips/10.0.0.1"), Endpoint::kDelete);
  EXPECT_EQ(endpoint("POST", "/v1/floating-ips/2001:db8::1/forwards"), Endpoint::kForwards);
  EXPECT_EQ(endpoint("GET", "/v1/events"), Endpoint::kEvents);
  EXPECT_EQ(endpoint("POST", "/v1/reload"), Endpoint::kReload);
  EXPECT_EQ(endpoint("POST", "/v1/accept?source=files"), Endpoint::kAccept);
  EXPECT_EQ(endpoint("POST", "/v1/drain"), Endpoint::kDrain);
  EXPECT_EQ(endpoint("POST", "/v1/undrain"), Endpoint::kUndrain);
  EXPECT_EQ(endpoint("GET", "/v1/drain?connections=true"), Endpoint::kDrainReport);
  EXPECT_EQ(endpoint("GET", "http://fipd/metrics"), Endpoint::kMetrics);
}

TEST(Route, HeadIsGetWithoutABody) {
  const auto route = parse_route("HEAD", "/v1/status");
  ASSERT_TRUE(route);
  EXPECT_TRUE(route->head);
  EXPECT_EQ(route->endpoint, Endpoint::kStatus);
}

TEST(Route, UnknownPathsAreNotFound) {
  for (const char* target :
       {"/", "", "/v2/status", "/v1/drains", "/v1/floating-ips/", "/v1/floating-ips/10.0.0.1/x",
        "/v1/status/", "/v1/floating-ips//forwards", "/v1/floating-ips/10.0.0.1/forwards/",
        "/v1/events/forwards", "http://fipd"}) {
    const auto route = parse_route("GET", target);
    ASSERT_FALSE(route) << target;
    EXPECT_EQ(route.error().status, 404U) << target;
  }
}

TEST(Route, AWrongMethodIsToldTheRightOnes) {
  const auto route = parse_route("DELETE", "/v1/floating-ips");
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().status, 405U);
  EXPECT_EQ(route.error().allow, "OPTIONS, GET, HEAD, POST");
}

TEST(Route, WaitingBelongsToChangesOnly) {
  const auto put = parse_route("PUT", "/v1/floating-ips/10.0.0.1?wait=routed&timeout=1500ms");
  ASSERT_TRUE(put);
  EXPECT_EQ(put->wait, WaitFor::kRouted);
  EXPECT_EQ(put->timeout, milliseconds(1500));
  EXPECT_EQ(parse_route("GET", "/v1/status?wait=routed").error().status, 400U);
}

TEST(Route, CountersBelongToTheListing) {
  EXPECT_TRUE(parse_route("GET", "/v1/floating-ips?counters=true")->counters);
  EXPECT_FALSE(parse_route("GET", "/v1/floating-ips")->counters);
  EXPECT_EQ(parse_route("GET", "/v1/floating-ips?counters=1").error().status, 400U);
  EXPECT_EQ(parse_route("GET", "/v1/status?counters=true").error().status, 400U);
}

TEST(Route, ADryRunIsOfChangesAndWaitsForNothing) {
  for (const auto& [method, target] : {std::pair("PUT", "/v1/floating-ips/10.0.0.1"),
                                       std::pair("DELETE", "/v1/floating-ips/10.0.0.1"),
                                       std::pair("POST", "/v1/floating-ips/10.0.0.1/forwards"),
                                       std::pair("POST", "/v1/floating-ips")}) {
    const std::string asked = std::string(target) + "?dry_run=true";
    ASSERT_TRUE(parse_route(method, asked)) << asked;
    EXPECT_TRUE(parse_route(method, asked)->dry_run) << asked;
    EXPECT_FALSE(parse_route(method, target)->dry_run) << target;
    EXPECT_EQ(parse_route(method, asked + "&wait=routed").error().status, 400U) << asked;
  }
  EXPECT_EQ(parse_route("GET", "/v1/status?dry_run=true").error().status, 400U);
}

TEST(Route, RefusesQueriesThatItDoesNotUnderstand) {
  for (const char* query : {"wait=learned", "wait=", "timeout=0", "timeout=11m", "timeout=5x",
                            "replace=yes", "rpelace=true", "replace=%4", "replace=%zz"}) {
    const auto route = parse_route("PUT", std::string("/v1/floating-ips/10.0.0.1?") + query);
    ASSERT_FALSE(route) << query;
    EXPECT_EQ(route.error().status, 400U) << query;
  }
}

TEST(Route, AnAddressThatIsNoneIsBadInputInPrintableWords) {
  const auto route = parse_route("GET", "/v1/floating-ips/10.0.0%00%ff%1b[31m");
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().status, 400U);
  for (const char c : route.error().message) EXPECT_TRUE(c >= ' ' && c <= '~') << int{c};
}

TEST(Route, OnlyChangesNeedTheRightToChange) {
  EXPECT_FALSE(changes(Endpoint::kList));
  EXPECT_FALSE(changes(Endpoint::kEvents));
  EXPECT_FALSE(changes(Endpoint::kMetrics));
  EXPECT_TRUE(changes(Endpoint::kBatch));
  EXPECT_TRUE(changes(Endpoint::kDelete));
  EXPECT_TRUE(changes(Endpoint::kReload));
  EXPECT_TRUE(changes(Endpoint::kAccept));
  EXPECT_TRUE(changes(Endpoint::kDrain));
  EXPECT_TRUE(changes(Endpoint::kUndrain));
  EXPECT_FALSE(changes(Endpoint::kDrainReport));
}

}  // namespace
}  // namespace fipd::control
