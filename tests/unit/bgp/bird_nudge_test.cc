// What the client may change in BIRD, and how it says so in each version.
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_client.h"
#include "tests/unit/bgp/bird_client_fixture.h"

namespace fipd::bgp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BirdNudgeTest : public BirdClientTest {
 protected:
  // Every command of every connection, "|" between connections.
  FakeBird::Script listening(std::string greeting, std::string answer) {
    return [this, greeting, answer](const FakeConversation& peer) {
      note("|");
      if (!peer.say(greeting)) return;
      while (const auto command = peer.hear_any()) {
        note(*command);
        std::string reply = answer;
        if (*command == "restrict") reply = "0016 Access restricted\n";
        if (*command == "show status") reply = kStatus;
        if (command->starts_with("show protocols")) reply = kProtocols;
        if (!peer.say(reply)) return;
      }
    };
  }
  void note(const std::string& text) {
    const std::lock_guard lock(mutex_);
    heard_.push_back(text);
  }
  std::vector<std::string> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

  std::mutex mutex_;
  std::vector<std::string> heard_;
};

TEST_F(BirdNudgeTest, SpeaksToEachVersionInItsOwnWords) {
  const std::string done = "0015-k4: reloading\n0000 \n";
  for (const auto& [greeting, command] :
       {std::pair("0001 BIRD 2.0.12 ready.\n", "reload in \"k4\""),
        std::pair("0001 BIRD 2.17.1 ready.\n", "reload in \"k4\""),
        std::pair("0001 BIRD 3.3.2 ready.\n", "reload filters in \"k4\"")}) {
    heard_.clear();
    FakeBird bird(options().path, listening(greeting, done));
    BirdClient client(io_.get_executor(), options());
    const auto nudged = run(client.nudge("k4"));
    ASSERT_TRUE(nudged && *nudged) << greeting;
    EXPECT_THAT(heard(), ElementsAre("|", command));
  }
}

TEST_F(BirdNudgeTest, RestrictsItsOtherConnectionsBeforeItAsksAnything) {
  FakeBird bird(options().path, listening(kGreeting, "0000 \n"));
  BirdClient client(io_.get_executor(), options());
  EXPECT_TRUE(look(client));
  (void)run(client.exported("tor1"));
  EXPECT_THAT(heard(), ElementsAre("|", "restrict", "show status", "show protocols all", "|",
                                   "restrict", "show route exported 'tor1'"));
}

TEST_F(BirdNudgeTest, AsksNothingOfABirdThatDoesNotRestrictTheConnection) {
  FakeBird bird(options().path, [](const FakeConversation& peer) {
    peer.say(kGreeting);
    while (peer.hear_any()) peer.say("0000 \n");
  });
  BirdClient client(io_.get_executor(), options());
  const auto seen = look(client);
  ASSERT_FALSE(seen);
  EXPECT_THAT(seen.error().message(), HasSubstr("does not restrict"));
}

TEST_F(BirdNudgeTest, SaysThatTheSocketIsRestrictedAndWhatBirdDoesNotKnow) {
  {
    FakeBird bird(options().path, listening(kGreeting, "8007 Access denied\n"));
    BirdClient client(io_.get_executor(), options());
    const auto nudged = run(client.nudge("k4"));
    ASSERT_TRUE(nudged && !*nudged);
    EXPECT_EQ(nudged->error().code(), ErrorCode::kNotPermitted);
    EXPECT_THAT(nudged->error().message(), HasSubstr("restricted"));
  }
  FakeBird bird(options().path, listening(kGreeting, "8003 No protocols match\n"));
  BirdClient client(io_.get_executor(), options());
  const auto nudged = run(client.nudge("k4"));
  ASSERT_TRUE(nudged && !*nudged);
  EXPECT_THAT(nudged->error().message(), HasSubstr("No protocols match"));
}

TEST_F(BirdNudgeTest, PutsNoForeignTextIntoAnyCommand) {
  FakeBird bird(options().path, listening(kGreeting, "0000 \n"));
  BirdClient client(io_.get_executor(), options());
  const auto nothing = [](const BirdRoute&) {};
  for (const char* name : {"k\" all", "k'4", "", "a b", "*", "k\n"}) {
    EXPECT_EQ(run(client.nudge(name))->error().code(), ErrorCode::kBadInput) << name;
    EXPECT_EQ(run(client.exported(name))->error().code(), ErrorCode::kBadInput) << name;
    EXPECT_EQ(run(client.visit_routes(name, "k4", nothing))->error().code(), ErrorCode::kBadInput);
    EXPECT_EQ(run(client.visit_filtered("t", name, nothing))->error().code(), ErrorCode::kBadInput);
    EXPECT_EQ(run(client.visit_learned_by_bgp(name, nothing))->error().code(),
              ErrorCode::kBadInput);
    EXPECT_EQ(run(client.would_export(name, *parse_address("172.16.1.3")))->error().code(),
              ErrorCode::kBadInput);
  }
  EXPECT_EQ(bird.connections(), 0);
}

TEST_F(BirdNudgeTest, LeavesNoConnectionBehindThatCouldChangeAnything) {
  FakeBird bird(options().path, listening(kGreeting, "0015-k4: reloading\n0000 \n"));
  BirdClient client(io_.get_executor(), options());
  EXPECT_TRUE(*run(client.nudge("k4")));
  EXPECT_TRUE(*run(client.nudge("k4")));
  EXPECT_EQ(bird.connections(), 2);
}

}  // namespace
}  // namespace fipd::bgp
