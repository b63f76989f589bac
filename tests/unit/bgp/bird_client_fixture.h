#pragma once

#include <chrono>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "bgp/bird_client.h"
#include "tests/unit/bgp/bird_fake.h"

namespace fipd::bgp {

inline constexpr const char* kGreeting = "0001 BIRD 2.0.12 ready.\n";
inline constexpr const char* kStatus =
    "1000-BIRD 2.0.12\n1011-Router ID is 10.99.0.1\n0013 Daemon is up and running\n";
inline constexpr const char* kProtocols =
    "2002-Name       Proto      Table      State  Since         Info\n"
    "1002-device1    Device     ---        up     2026-11-22 20:36:55.229  \n"
    " fipd_kernel4 Kernel     fip4       up     2026-11-22 20:36:55.229  \n"
    " tor1       BGP        ---        up     2026-11-22 20:36:56.027  Established   \n"
    " tor2       BGP        ---        start  2026-11-22 20:36:56.027  Active  \n"
    " tor-3.a    BGP        ---        up     2026-11-22 20:36:57.027  Established   \n"
    "0000 \n";

// Answers like the BIRD of these constants; what `other` knows comes first.
inline FakeBird::Script like_bird(std::map<std::string, std::string> other = {}) {
  return [other = std::move(other)](const FakeConversation& peer) {
    std::map<std::string, std::string> answers = {{"show status", kStatus},
                                                  {"show protocols", kProtocols}};
    for (const auto& [command, answer] : other) answers[command] = answer;
    answers.try_emplace("show protocols all", answers["show protocols"]);
    if (!peer.say(kGreeting)) return;
    while (const auto command = peer.hear()) {
      const auto known = answers.find(*command);
      const std::string unknown = "9001 syntax error, unexpected " + *command + "\n";
      const std::string& answer = known == answers.end() ? unknown : known->second;
      if (!peer.say(answer)) return;
    }
  };
}

template <typename T>
void take_into(std::optional<T>& place, std::exception_ptr error, T value) {
  if (error) std::rethrow_exception(error);
  place.emplace(std::move(value));
}

class BirdClientTest : public testing::Test {
 protected:
  BirdOptions options() const {
    BirdOptions options;
    options.path = folder_.path() / "bird.ctl";
    options.timeout = std::chrono::milliseconds(200);
    options.retry_min = std::chrono::milliseconds(20);
    options.retry_max = std::chrono::milliseconds(80);
    return options;
  }

  template <typename T>
  std::optional<T> run(boost::asio::awaitable<T> question) {
    std::optional<T> result;
    const auto done = [&result](std::exception_ptr error, T value) {
      take_into(result, error, std::move(value));
    };
    boost::asio::co_spawn(io_, std::move(question), done);
    io_.restart();
    io_.run_for(std::chrono::seconds(20));
    return result;
  }

  Result<BirdSnapshot> look(BirdClient& client) {
    return run(client.look()).value_or(fail(ErrorCode::kInternal, "look() never came back"));
  }

  // What the first look() at a BIRD of this script comes to.
  Result<BirdSnapshot> look_at(FakeBird::Script script) {
    FakeBird bird(options().path, std::move(script));
    BirdClient client(io_.get_executor(), options());
    Result<BirdSnapshot> seen = look(client);
    EXPECT_EQ(client.problem(), seen ? seen->problem : seen.error().message());
    return seen;
  }

  void wait_out_the_pause() { std::this_thread::sleep_for(options().retry_max); }

  TemporaryFolder folder_;
  boost::asio::io_context io_{1};
};

}  // namespace fipd::bgp
