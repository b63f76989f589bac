#include <gmock/gmock.h>

#include "tests/unit/control/server_harness.h"

namespace fipd::control {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

TEST(ServerLimits, TheClientAfterTheLastIsToldSoAtOnce) {
  ServerHarness harness;
  std::vector<RawClient> clients;
  for (std::size_t i = 0; i < harness.options.limits.clients; ++i) {
    clients.emplace_back(harness.options.path);
  }
  RawClient late(harness.options.path);
  const std::string answer = late.receive_until("}}\n");  // without having asked
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr(R"("code":"overloaded")"));
  clients.front().send("GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(clients.front().receive(), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerLimits, APlaceIsFreeAgainWhenItsClientGoes) {
  HttpLimits limits;
  limits.clients = 1;
  ServerHarness harness(limits);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(get(harness, "/v1/status"), StartsWith("HTTP/1.1 200 ")) << i;
    while (harness.on_loop([&] { return harness.server->clients(); }) > 0) {
    }
  }
}

TEST(ServerLimits, ATooLargeRequestIsRefusedBeforeItIsRead) {
  HttpLimits limits;
  limits.request_bytes = 100000;
  ServerHarness harness(limits);
  const std::string body(limits.request_bytes + 1, ' ');
  const std::string answer = ask(harness, "POST", "/v1/floating-ips", body);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer, HasSubstr("100000"));
  EXPECT_EQ(harness.on_loop([&] { return harness.service.changes; }), 0U);
}

TEST(ServerLimits, ATooLargeChunkedRequestIsRefusedAsWell) {
  HttpLimits limits;
  limits.request_bytes = 1000;
  ServerHarness harness(limits);
  RawClient client(harness.options.path);
  client.send(
      "POST /v1/floating-ips HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "800\r\n" +
      std::string(0x800, ' ') + "\r\n0\r\n\r\n");
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 413 "));
}

TEST(ServerLimits, AnEndlessHeadIsRefused) {
  ServerHarness harness;
  RawClient client(harness.options.path);
  client.send("GET /v1/status HTTP/1.1\r\nX: " + std::string(20000, 'x'));
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 431 "));
}

TEST(ServerLimits, HalfARequestAndSilenceIsClosed) {
  HttpLimits limits;
  limits.request = milliseconds(100);
  ServerHarness harness(limits);
  for (const char* half :
       {"", "GET /v1/sta", "GET /v1/status HTTP/1.1\r\nHost: a\r\n",
        "PUT /v1/floating-ips/10.0.0.1 HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"}) {
    RawClient client(harness.options.path);
    client.send(half);
    EXPECT_EQ(client.receive_all(), "") << half;
    EXPECT_FALSE(client.timed_out()) << half;
  }
}

TEST(ServerLimits, AnIdleConnectionIsClosed) {
  HttpLimits limits;
  limits.idle = milliseconds(100);
  ServerHarness harness(limits);
  RawClient client(harness.options.path);
  client.send("GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 200 "));
  EXPECT_FALSE(client.timed_out());
}

TEST(ServerLimits, GarbageIsAnsweredAndClosed) {
  ServerHarness harness;
  for (const std::string& garbage : {std::string("\x16\x03\x01\x02\xff\xff\r\n\r\n"),
                                     std::string("hello\r\n\r\n"), std::string(300, '\0')}) {
    RawClient client(harness.options.path);
    client.send(garbage);
    EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 400 "));
  }
  EXPECT_THAT(get(harness, "/v1/status"), StartsWith("HTTP/1.1 200 "));
}

TEST(ServerLimits, AReaderOfEventsThatStopsReadingIsCutOff) {
  HttpLimits limits;
  limits.unsent_bytes = 64 << 10;
  ServerHarness harness(limits);
  RawClient client(harness.options.path);
  client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
  client.receive_until("\r\n\r\n");
  const std::string text(1000, 'x');
  for (int i = 0; i < 2000; ++i) {
    harness.on_loop([&] {
      harness.service.events().publish("bird", std::nullopt, text);
      return 0;
    });
  }
  const std::string taken = client.receive_all();
  EXPECT_FALSE(client.timed_out());
  EXPECT_LT(taken.size(), 2000U * 1000U);
  EXPECT_FALSE(harness.on_loop([&] { return harness.service.events().heard(); }));
}

TEST(ServerLimits, AReaderOfAListingThatStopsReadingIsCutOff) {
  HttpLimits limits;
  limits.progress = milliseconds(200);
  ServerHarness harness(limits, 20000);
  RawClient client(harness.options.path);
  client.send("GET /v1/floating-ips HTTP/1.1\r\nHost: a\r\n\r\n");
  client.receive(1);
  std::this_thread::sleep_for(milliseconds(600));
  const std::string rest = client.receive_all();
  EXPECT_FALSE(client.timed_out());
  EXPECT_EQ(rest.find("]}"), std::string::npos);
}

TEST(ServerLimits, AnEventReaderThatGoesAwayFreesItsPlace) {
  ServerHarness harness;
  {
    RawClient client(harness.options.path);
    client.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
    client.receive_until("\r\n\r\n");
    EXPECT_EQ(harness.on_loop([&] { return harness.server->clients(); }), 1U);
  }
  for (int i = 0; i < 500; ++i) {
    if (harness.on_loop([&] { return harness.server->clients(); }) == 0) break;
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(harness.on_loop([&] { return harness.server->clients(); }), 0U);
  EXPECT_FALSE(harness.on_loop([&] { return harness.service.events().heard(); }));
}

TEST(ServerLimits, OthersAreServedWhileABigBatchIsParsed) {
  ServerHarness harness;
  std::string batch = R"({"floating_ips": [)";
  for (unsigned i = 0; i < 50000; ++i) {
    const IpAddress floating = boost::asio::ip::address_v4(0x0a000000U + i);
    batch +=
        fmt::format(R"({}{{"floating": "{}", "fixed": "11.0.0.1"}})", i == 0 ? "" : ",", floating);
  }
  batch += "]}";
  auto big = std::async(std::launch::async,
                        [&] { return ask(harness, "POST", "/v1/floating-ips", batch); });
  int served = 0;
  while (big.wait_for(milliseconds(0)) != std::future_status::ready) {
    EXPECT_THAT(get(harness, "/v1/status"), StartsWith("HTTP/1.1 200 "));
    ++served;
  }
  EXPECT_THAT(big.get(), HasSubstr(R"({"put":50000,"removed":0})"));
  EXPECT_GT(served, 3);
}

}  // namespace
}  // namespace fipd::control
