#include "bgp/bird_client.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_watch.h"
#include "tests/unit/bgp/bird_client_fixture.h"

namespace fipd::bgp {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(BirdClientTest, ReportsVersionAndBgpSessionsOnly) {
  const auto seen = look_at(like_bird());
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_TRUE(seen->connected);
  EXPECT_EQ(seen->version, "2.0.12");
  EXPECT_EQ(seen->problem, "");
  ASSERT_THAT(seen->sessions, SizeIs(3));
  EXPECT_EQ(seen->sessions[0].name, "tor1");
  EXPECT_TRUE(seen->sessions[0].established());
  EXPECT_EQ(seen->sessions[1].state, "start");
  EXPECT_FALSE(seen->sessions[1].established());
  EXPECT_EQ(seen->sessions[2].since, "2026-11-22 20:36:57.027");
}

TEST_F(BirdClientTest, AsksEveryEstablishedSessionWhetherItHasTheAddress) {
  const std::string row = "1007-Table fip4:\n 172.16.1.3/32 unicast [k 1] * (200)\n0000 \n";
  FakeBird bird(options().path,
                like_bird({{"show route exported 'tor1' 172.16.1.3/32", row},
                           {"show route exported 'tor-3.a' 172.16.1.3/32", "8001 Not found\n"}}));
  BirdClient client(io_.get_executor(), options());
  const auto names = run(client.exported_by(*parse_address("172.16.1.3")));
  ASSERT_TRUE(names && *names) << names->error().message();
  EXPECT_THAT(**names, ElementsAre("tor1"));
}

TEST_F(BirdClientTest, TakesASessionThatWentDownOrAwayBetweenForOneThatHasNothing) {
  FakeBird bird(
      options().path,
      like_bird({{"show route exported 'tor1' 2001:db8::3/128", "9001 No valid tables\n"}}));
  BirdClient client(io_.get_executor(), options());
  const auto names = run(client.exported_by(*parse_address("2001:db8::3")));
  ASSERT_TRUE(names && *names) << names->error().message();
  EXPECT_THAT(**names, IsEmpty());
}

TEST_F(BirdClientTest, LeavesOutASessionWhoseNameItWouldNotPutIntoACommandAndSaysSo) {
  const auto seen =
      look_at(like_bird({{"show protocols",
                          "1002-tor'1 BGP --- up 20:36:56.027 Established\n tor2 BGP --- up "
                          "20:36:56.027 Established\n0000 \n"}}));
  ASSERT_TRUE(seen);
  EXPECT_THAT(seen->sessions, SizeIs(1));
  EXPECT_THAT(seen->problem, HasSubstr("\"tor'1\" is left out"));
}

TEST_F(BirdClientTest, SaysThatBirdRecoversFromARestart) {
  const auto seen = look_at(
      like_bird({{"show status",
                  "1000-BIRD 2.0.12\n0024-Graceful restart recovery in progress\n"
                  "   Waiting for 1 channels to recover\n0013 Daemon is up and running\n"}}));
  ASSERT_TRUE(seen);
  EXPECT_THAT(seen->problem, HasSubstr("recovers from a restart"));
}

TEST_F(BirdClientTest, UnderstandsAnswersThatComeOneByteAtATimeWithMessagesAnywhere) {
  const auto seen = look_at([](const FakeConversation& peer) {
    const auto dribble = [&peer](const std::string& text) {
      for (const char c : text) peer.say(std::string(1, c));
    };
    dribble("+hello\n" + std::string(kGreeting) + "+tor1: State changed to up\n");
    while (const auto command = peer.hear()) {
      const std::string answer = *command == "show status" ? kStatus : kProtocols;
      dribble("+before\n");
      dribble(answer.substr(0, answer.find('\n') + 1) + "+0000 within\n" +
              answer.substr(answer.find('\n') + 1) + "+after\n");
    }
  });
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_THAT(seen->sessions, SizeIs(3));
}

TEST_F(BirdClientTest, GivesUpOnABirdThatTakesTheConnectionAndNeverSpeaks) {
  const auto started = std::chrono::steady_clock::now();
  const auto seen = look_at([](const FakeConversation& peer) { peer.hear(); });
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(seen.error().message(), HasSubstr("does not answer"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(2));
}

TEST_F(BirdClientTest, GivesUpOnABirdThatFallsSilentInMidReply) {
  const auto seen = look_at([](const FakeConversation& peer) {
    peer.say(kGreeting);
    peer.hear();
    peer.say("1000-BIRD 2.0.12\n10");
    peer.hear();
  });
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), ErrorCode::kTimeout);
}

TEST_F(BirdClientTest, FailsAtOnceWhereTheOneBeforeItRanIntoTheDeadline) {
  FakeBird bird(options().path, [](const FakeConversation& peer) { peer.hear(); });
  BirdOptions slow = options();
  slow.retry_min = slow.retry_max = std::chrono::seconds(5);
  BirdClient client(io_.get_executor(), slow);
  int timeouts = 0;
  const auto count = [&timeouts](std::exception_ptr, const Result<BirdSnapshot>& seen) {
    if (!seen && seen.error().code() == ErrorCode::kTimeout) ++timeouts;
  };
  for (int i = 0; i < 20; ++i) asio::co_spawn(io_, client.look(), count);
  const auto started = std::chrono::steady_clock::now();
  io_.run();
  EXPECT_EQ(timeouts, 20);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(1));
}

TEST_F(BirdClientTest, GivesUpOnGarbageAndOnAnotherDaemonsGreeting) {
  for (const char* greeting :
       {"\xff\xfe garbage\n", "SSH-2.0-OpenSSH_9.2\n", "0001 FRR ready.\n"}) {
    const auto seen = look_at([greeting](const FakeConversation& peer) {
      peer.say(greeting);
      peer.hear();
    });
    ASSERT_FALSE(seen);
    EXPECT_EQ(seen.error().code(), ErrorCode::kUnavailable) << seen.error().message();
  }
}

TEST_F(BirdClientTest, GivesUpOnAReplyOfElevenMegabytes) {
  const auto seen = look_at([](const FakeConversation& peer) {
    peer.say(kGreeting);
    peer.hear();
    const std::string line = "1007-" + std::string(1000, 'x') + "\n";
    for (std::size_t sent = 0; sent < (11U << 20) && peer.say(line); sent += line.size()) {
    }
    peer.hear();
  });
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), ErrorCode::kLimit) << seen.error().message();
}

TEST_F(BirdClientTest, GivesUpOnAnswersToWhatItNeverAsked) {
  const auto seen = look_at([](const FakeConversation& peer) {
    peer.say(kGreeting);
    peer.hear();
    peer.say(std::string(kStatus) + "0000 \n");
    peer.hear();
  });
  ASSERT_FALSE(seen);
  EXPECT_THAT(seen.error().message(), HasSubstr("not asked"));
}

TEST_F(BirdClientTest, SaysThatBirdHungUpInMidReplyAndComesBackLater) {
  BirdClient client(io_.get_executor(), options());
  {
    FakeBird bird(options().path, [](const FakeConversation& peer) {
      peer.say(kGreeting);
      peer.hear();
      peer.say("1000-BIRD 2");
    });
    const auto seen = look(client);
    ASSERT_FALSE(seen);
    EXPECT_THAT(seen.error().message(), HasSubstr("closed the connection"));
  }
  FakeBird bird(options().path, like_bird());
  EXPECT_FALSE(look(client)) << "tried again without a pause";
  wait_out_the_pause();
  EXPECT_TRUE(look(client));
  EXPECT_EQ(client.problem(), "");
}

TEST_F(BirdClientTest, SaysWhereTheSocketIsNotThereAndWhereNobodyListens) {
  BirdClient client(io_.get_executor(), options());
  const auto absent = look(client);
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().message(), HasSubstr("there is no socket"));
  { FakeBird killed(options().path, like_bird()); }
  wait_out_the_pause();
  const auto dead = look(client);
  ASSERT_FALSE(dead);
  EXPECT_THAT(dead.error().message(), HasSubstr("nobody listens"));
}

TEST_F(BirdClientTest, SaysHowToBePermittedToOpenTheSocket) {
  FakeBird bird(options().path, like_bird());
  ASSERT_EQ(::chmod(options().path.c_str(), 0600), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  if (::seteuid(65534) != 0) GTEST_SKIP() << "needs root, to become nobody";
  BirdClient client(io_.get_executor(), options());
  const auto seen = look(client);
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), ErrorCode::kNotPermitted);
  EXPECT_THAT(seen.error().message(), HasSubstr("group bird"));
}

TEST_F(BirdClientTest, RefusesAPathThatNoSocketCanHave) {
  BirdOptions long_path = options();
  long_path.path = "/tmp/" + std::string(200, 'x');
  BirdClient client(io_.get_executor(), long_path);
  const auto seen = look(client);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code(), ErrorCode::kBadInput);
}

TEST_F(BirdClientTest, KeepsOneConversationAndMakesItAnewAtOnceAfterBirdsRestart) {
  BirdClient client(io_.get_executor(), options());
  {
    FakeBird first(options().path, like_bird());
    EXPECT_TRUE(look(client));
    EXPECT_TRUE(look(client));
    EXPECT_EQ(first.connections(), 1);
  }
  FakeBird second(options().path, like_bird());
  EXPECT_TRUE(look(client));
  EXPECT_EQ(second.connections(), 1);
}

TEST_F(BirdClientTest, FollowsTheSocketsFileWhenAnotherBirdTookItsPlace) {
  BirdClient client(io_.get_executor(), options());
  FakeBird first(options().path, like_bird());
  EXPECT_TRUE(look(client));
  FakeBird second(options().path, like_bird());
  EXPECT_TRUE(look(client));
  EXPECT_EQ(second.connections(), 1);
}

TEST_F(BirdClientTest, AnswersManyAskersInTurn) {
  FakeBird bird(options().path, like_bird());
  BirdClient client(io_.get_executor(), options());
  std::vector<int> order;
  for (int i = 0; i < 50; ++i) {
    const auto done = [&order, i](std::exception_ptr, const Result<BirdSnapshot>& seen) {
      if (seen) order.push_back(i);
    };
    asio::co_spawn(io_, client.look(), done);
  }
  io_.run();
  ASSERT_THAT(order, SizeIs(50));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(bird.connections(), 1);
}

TEST_F(BirdClientTest, EndsWhatIsUnderWayWhenItIsDestroyed) {
  FakeBird bird(options().path, [](const FakeConversation& peer) { peer.hear(); });
  auto client = std::make_unique<BirdClient>(io_.get_executor(), options());
  int failed = 0;
  const auto done = [&failed](std::exception_ptr, const Result<BirdSnapshot>& seen) {
    if (!seen && seen.error().code() == ErrorCode::kUnavailable) ++failed;
  };
  for (int i = 0; i < 3; ++i) asio::co_spawn(io_, client->look(), done);
  io_.run_for(milliseconds(30));
  client.reset();
  io_.run_for(milliseconds(30));
  EXPECT_EQ(failed, 3);
}

TEST_F(BirdClientTest, LeavesNothingBehindWhenTheEventLoopIsDestroyedFirst) {
  FakeBird bird(options().path, [](const FakeConversation& peer) { peer.hear(); });
  auto io = std::make_unique<asio::io_context>(1);
  BirdClient client(io->get_executor(), options());
  const auto never = [](std::exception_ptr, const Result<BirdSnapshot>&) { ADD_FAILURE(); };
  for (int i = 0; i < 3; ++i) asio::co_spawn(*io, client.look(), never);
  io->run_for(milliseconds(30));
}

TEST_F(BirdClientTest, NeverTakesTheAnswerToACancelledQuestionForTheNextOnes) {
  FakeBird bird(options().path, [](const FakeConversation& peer) {
    peer.say(kGreeting);
    while (const auto command = peer.hear()) {
      std::this_thread::sleep_for(milliseconds(60));
      if (!peer.say(*command == "show status" ? kStatus : kProtocols)) return;
    }
  });
  BirdClient client(io_.get_executor(), options());
  asio::cancellation_signal cancel;
  bool ended = false;
  const auto done = [&ended](std::exception_ptr, const Result<BirdSnapshot>&) { ended = true; };
  asio::co_spawn(io_, client.look(), asio::bind_cancellation_slot(cancel.slot(), done));
  io_.run_for(milliseconds(30));
  cancel.emit(asio::cancellation_type::terminal);
  io_.run_for(milliseconds(10));
  EXPECT_TRUE(ended);
  const auto seen = look(client);
  ASSERT_TRUE(seen) << seen.error().message();
  EXPECT_THAT(seen->sessions, SizeIs(3));
  EXPECT_EQ(bird.connections(), 2);
}

class Journal : public BirdObserver {
 public:
  void bird_changed(const BirdSnapshot& snapshot) override { seen.push_back(snapshot); }
  std::vector<BirdSnapshot> seen;
};

TEST_F(BirdClientTest, WatchTellsOfBirdComingGoingAndComingBackAndNothingBetween) {
  BirdClient client(io_.get_executor(), options());
  Journal journal;
  BirdWatch watch(io_.get_executor(), client, journal, milliseconds(10));
  auto bird = std::make_unique<FakeBird>(options().path, like_bird());
  watch.start();
  io_.run_for(milliseconds(150));
  ASSERT_THAT(journal.seen, SizeIs(1));
  EXPECT_TRUE(journal.seen[0].connected);
  bird.reset();
  io_.run_for(milliseconds(300));
  ASSERT_THAT(journal.seen, SizeIs(2));
  EXPECT_FALSE(journal.seen[1].connected);
  EXPECT_THAT(journal.seen[1].problem, HasSubstr("nobody listens"));
  EXPECT_THAT(watch.snapshot().sessions, IsEmpty());
  bird = std::make_unique<FakeBird>(options().path, like_bird());
  io_.run_for(milliseconds(300));
  ASSERT_THAT(journal.seen, SizeIs(3));
  EXPECT_TRUE(journal.seen[2].connected);
}

TEST_F(BirdClientTest, WatchTellsOfASessionThatRestartedEvenIfItIsUpAgain) {
  std::atomic<bool> restarted{false};
  FakeBird bird(options().path, [&restarted](const FakeConversation& peer) {
    peer.say(kGreeting);
    while (const auto command = peer.hear()) {
      const char* since = restarted ? "20:37:00.000" : "20:36:00.000";
      const std::string protocols =
          std::string("1002-tor1 BGP --- up ") + since + " Established\n0000 \n";
      peer.say(*command == "show status" ? kStatus : protocols);
    }
  });
  BirdClient client(io_.get_executor(), options());
  Journal journal;
  BirdWatch watch(io_.get_executor(), client, journal, milliseconds(10));
  watch.start();
  io_.run_for(milliseconds(100));
  restarted = true;
  io_.run_for(milliseconds(100));
  ASSERT_THAT(journal.seen, SizeIs(2));
  EXPECT_EQ(journal.seen[1].sessions[0].since, "20:37:00.000");
}

TEST_F(BirdClientTest, WatchMayBeDestroyedInTheMiddleOfALook) {
  FakeBird bird(options().path, [](const FakeConversation& peer) { peer.hear(); });
  auto client = std::make_unique<BirdClient>(io_.get_executor(), options());
  Journal journal;
  auto watch = std::make_unique<BirdWatch>(io_.get_executor(), *client, journal, milliseconds(10));
  watch->start();
  io_.run_for(milliseconds(30));
  watch.reset();
  client.reset();
  io_.run_for(milliseconds(300));
  EXPECT_THAT(journal.seen, IsEmpty());
  EXPECT_TRUE(io_.stopped());
}

}  // namespace
}  // namespace fipd::bgp
