#include <gmock/gmock.h>

#include "tests/unit/control/server_harness.h"

namespace fipd::control {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kPath = "/v1/floating-ips/172.16.1.3";
constexpr std::string_view kBody = R"({"fixed": "10.65.0.13"})";

TEST(Server, PutsShowsAndRemovesAFloatingIp) {
  ServerHarness harness;
  EXPECT_THAT(ask(harness, "PUT", kPath, kBody), StartsWith("HTTP/1.1 201 "));
  EXPECT_THAT(ask(harness, "PUT", kPath, kBody), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(get(harness, kPath), HasSubstr(R"("fixed":"10.65.0.13")"));
  EXPECT_THAT(ask(harness, "DELETE", kPath), StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(get(harness, kPath), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask(harness, "DELETE", kPath), StartsWith("HTTP/1.1 404 "));
}

TEST(Server, PutReplacesUnlessToldNotTo) {
  ServerHarness harness;
  ask(harness, "PUT", kPath, kBody);
  const std::string other = R"({"fixed": "10.65.0.14"})";
  const std::string careful = std::string(kPath) + "?replace=false";
  const std::string refused = ask(harness, "PUT", careful, other);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 409 "));
  EXPECT_THAT(refused, HasSubstr(R"("code":"conflict")"));
  EXPECT_THAT(refused, HasSubstr(R"("floating":"172.16.1.3")"));
  EXPECT_THAT(ask(harness, "PUT", kPath, other), StartsWith("HTTP/1.1 200 "));
}

TEST(Server, ABatchIsAllOrNothing) {
  ServerHarness harness;
  const std::string batch = R"({"floating_ips": [{"floating": "172.16.1.3", "fixed": "10.65.0.13"},
                                {"floating": "127.0.0.1", "fixed": "10.65.0.14"}]})";
  const std::string answer = ask(harness, "POST", "/v1/floating-ips", batch);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer, HasSubstr(R"("code":"own_address")"));
  EXPECT_THAT(get(harness, kPath), StartsWith("HTTP/1.1 404 "));
}

TEST(Server, WaitingForARemovalIsWaitingUntilItIsGone) {
  ServerHarness harness;
  const std::string slow = "/v1/floating-ips/192.0.2.1";
  const std::string other = "/v1/floating-ips/192.0.2.2";
  for (const std::string& each : {slow, other}) (void)ask(harness, "PUT", each, kBody);
  EXPECT_THAT(ask(harness, "DELETE", slow + "?wait=announced&timeout=20ms"),
              StartsWith("HTTP/1.1 204 "));
  const std::string batch = R"({"remove": ["192.0.2.2"]})";
  EXPECT_THAT(ask(harness, "POST", "/v1/floating-ips?wait=announced&timeout=20ms", batch),
              StartsWith("HTTP/1.1 200 "));
}

TEST(Server, WaitingRunsOutWithTheChangeDone) {
  ServerHarness harness;
  const std::string slow = "/v1/floating-ips/192.0.2.1";
  const std::string answer = ask(harness, "PUT", slow + "?wait=announced&timeout=20ms", kBody);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
  EXPECT_THAT(answer, HasSubstr(R"("code":"wait_timeout")"));
  EXPECT_THAT(get(harness, slow), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask(harness, "PUT", slow + "?wait=translated", kBody), StartsWith("HTTP/1.1 200 "));
}

TEST(Server, FailuresKeepTheirStatusAndWords) {
  ServerHarness harness;
  const auto refuse = [&](Error error) {
    harness.on_loop([&] {
      harness.service.refuse_changes = std::move(error);
      return 0;
    });
    return ask(harness, "PUT", kPath, kBody);
  };
  EXPECT_THAT(refuse(Error(ErrorCode::kKernel, "nft said no")), HasSubstr("kernel_refused"));
  EXPECT_THAT(refuse(Error(ErrorCode::kKernel, "nft said no")), HasSubstr("nft said no"));
  EXPECT_THAT(refuse(Error(ErrorCode::kUnavailable, "x")), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refuse(Error(ErrorCode::kLimit, "x")), StartsWith("HTTP/1.1 422 "));
  EXPECT_THAT(refuse(Error(ErrorCode::kInternal, "x")), HasSubstr(R"("code":"internal")"));
}

TEST(Server, ReloadsAndAccepts) {
  ServerHarness harness;
  EXPECT_THAT(ask(harness, "POST", "/v1/reload"), HasSubstr(R"(["control.socket"])"));
  EXPECT_THAT(ask(harness, "POST", "/v1/accept"), HasSubstr(R"({"accepted":12})"));
  EXPECT_THAT(ask(harness, "POST", "/v1/accept?source=etcd"), StartsWith("HTTP/1.1 404 "));
}

TEST(Server, MetricsAndStatusAreServed) {
  ServerHarness harness;
  EXPECT_THAT(get(harness, "/metrics"), HasSubstr("fipd_nat_transactions_total 7\n"));
  EXPECT_THAT(get(harness, "/v1/status"), HasSubstr(R"("host":"compute-1")"));
}

TEST(Server, HeadSaysTheLengthAndSendsNothing) {
  ServerHarness harness;
  const std::string answer = ask(harness, "HEAD", "/v1/status");
  EXPECT_THAT(answer, HasSubstr("Content-Length: "));
  EXPECT_THAT(answer, Not(HasSubstr("Content-Length: 0")));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\n"));
}

TEST(Server, WrongMethodsAndOptionsSayWhatIsAllowed) {
  ServerHarness harness;
  EXPECT_THAT(ask(harness, "PATCH", kPath), HasSubstr("Allow: OPTIONS, GET, HEAD, PUT, DELETE"));
  const std::string options = ask(harness, "OPTIONS", "/v1/status");
  EXPECT_THAT(options, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(options, HasSubstr("Allow: OPTIONS, GET, HEAD"));
}

TEST(Server, PipelinedRequestsAreAnsweredInOrder) {
  ServerHarness harness;
  RawClient client(harness.options.path);
  client.send(
      "GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /v1/status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answer = client.receive_all();
  const auto first = answer.find("not_found");
  const auto second = answer.find("fipd_build_info");
  const auto third = answer.find("compute-1");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
}

TEST(Server, AConnectionIsKeptUntilTheClientClosesIt) {
  ServerHarness harness;
  RawClient client(harness.options.path);
  for (int i = 0; i < 3; ++i) {
    client.send("GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(client.receive_until("}}\n"), StartsWith("HTTP/1.1 200 "));
  }
}

TEST(Server, AnOldClientGetsAListingWithoutChunks) {
  ServerHarness harness({}, 3);
  RawClient client(harness.options.path);
  client.send("GET /v1/floating-ips HTTP/1.0\r\n\r\n");
  const std::string answer = client.receive_all();
  EXPECT_THAT(answer, Not(HasSubstr("chunked")));
  EXPECT_THAT(answer, testing::EndsWith("\n]}\n"));
}

TEST(Server, EventsStreamAsTheyHappen) {
  ServerHarness harness;
  RawClient client(harness.options.path);
  client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_until("\r\n\r\n"), HasSubstr("application/x-ndjson"));
  ask(harness, "PUT", kPath, kBody);
  const std::string line = client.receive_until("}\n");
  EXPECT_THAT(line, HasSubstr(R"("kind":"bound","floating":"172.16.1.3")"));
}

}  // namespace
}  // namespace fipd::control
