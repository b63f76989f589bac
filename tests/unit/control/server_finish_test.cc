#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>

#include "tests/unit/control/server_harness.h"

namespace fipd::control {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

// Says it on the loop's thread; the future is ready when it has returned there.
std::future<void> finish(ServerHarness& harness, milliseconds limit) {
  auto done = std::make_shared<std::promise<void>>();
  boost::asio::post(harness.loop, [&harness, limit, done] {
    boost::asio::co_spawn(harness.loop, harness.server->finish(limit),
                          [done](const std::exception_ptr&) { done->set_value(); });
  });
  return done->get_future();
}

// A request whose answer takes `time`; returns when it is under way.
void ask_slowly(ServerHarness& harness, RawClient& client, std::string_view time) {
  constexpr std::string_view body = R"({"fixed":"10.0.0.1"})";
  client.send(
      fmt::format("PUT /v1/floating-ips/192.0.2.1?wait=announced&timeout={} HTTP/1.1\r\n"
                  "Host: a\r\nContent-Length: {}\r\n\r\n{}",
                  time, body.size(), body));
  while (harness.on_loop([&] { return harness.service.changes; }) == 0) {
  }
}

TEST(ServerFinish, AnAnswerUnderWayIsSentAndTheConnectionIsClosedAfterIt) {
  ServerHarness harness;
  RawClient busy(harness.options.path);
  ask_slowly(harness, busy, "300ms");
  auto finished = finish(harness, milliseconds(60'000));
  const std::string answer = busy.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 504 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_FALSE(busy.timed_out());
  EXPECT_EQ(finished.wait_for(milliseconds(5000)), std::future_status::ready) << "once it is sent";
}

TEST(ServerFinish, WhoAsksNothingAndWhoListensToEventsHoldsUpNothing) {
  ServerHarness harness;
  RawClient silent(harness.options.path);
  RawClient half(harness.options.path);
  half.send("GET /v1/sta");
  RawClient listener(harness.options.path);
  listener.send("GET /v1/events HTTP/1.1\r\nHost: a\r\n\r\n");
  listener.receive_until("\r\n\r\n");
  auto finished = finish(harness, milliseconds(60'000));
  EXPECT_EQ(finished.wait_for(milliseconds(5000)), std::future_status::ready);
  for (RawClient* each : {&silent, &half, &listener}) {
    each->receive_all();
    EXPECT_FALSE(each->timed_out());
  }
  EXPECT_FALSE(std::filesystem::exists(harness.options.path));
}

TEST(ServerFinish, AnAnswerThatTakesTooLongIsNotWaitedFor) {
  ServerHarness harness;
  RawClient busy(harness.options.path);
  ask_slowly(harness, busy, "1s");
  auto finished = finish(harness, milliseconds(50));
  EXPECT_EQ(finished.wait_for(milliseconds(800)), std::future_status::ready);
}

}  // namespace
}  // namespace fipd::control
