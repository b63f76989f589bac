// The bulk answer: all that one session was told of.
#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_client.h"
#include "tests/unit/bgp/bird_client_fixture.h"

namespace fipd::bgp {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class BirdExportedTest : public BirdClientTest {};

TEST_F(BirdExportedTest, GivesAllHostPrefixesThatASessionWasToldOfInBothFamilies) {
  FakeBird bird(options().path,
                like_bird({{"show route exported 'tor1'",
                            "1007-Table fip4:\n 172.16.1.3/32 unicast [k 1] * (200)\n \tdev tap1\n"
                            " 172.16.1.4/32 unicast [k 1] * (200)\n 10.0.0.0/8 unicast [k 1]\n"
                            " Table fip6:\n 2001:db8::3/128 unicast [k 1] * (200)\n"
                            " 2001:db8::/32 unicast [k 1] * (200)\n0000 \n"}}));
  BirdClient client(io_.get_executor(), options());
  const auto all = run(client.exported("tor1"));
  ASSERT_TRUE(all && *all) << all->error().message();
  EXPECT_THAT(**all, ElementsAre(*parse_address("172.16.1.3"), *parse_address("172.16.1.4"),
                                 *parse_address("2001:db8::3")));
  const auto none = run(client.exported("gone"));
  ASSERT_TRUE(none && *none) << none->error().message();
  EXPECT_THAT(**none, IsEmpty());
}

TEST_F(BirdExportedTest, PutsNoStrangeNameIntoACommand) {
  FakeBird bird(options().path, like_bird());
  BirdClient client(io_.get_executor(), options());
  const auto all = run(client.exported("tor1' all"));
  ASSERT_TRUE(all);
  ASSERT_FALSE(*all);
  EXPECT_EQ(all->error().code(), ErrorCode::kBadInput);
  EXPECT_EQ(bird.connections(), 0);
}

// "show route exported" of so many addresses, as BIRD 2 words it.
std::string many_routes(std::uint32_t count) {
  std::string answer = "1007-Table fip4:\n";
  for (std::uint32_t i = 0; i < count; ++i) {
    answer += fmt::format(" {}/32 unicast [k 2026-11-22 20:37:26.785] * (200)\n \tdev tap1\n",
                          asio::ip::address_v4(0x64400000U + i).to_string());
  }
  return answer + "0000 \n";
}

TEST_F(BirdExportedTest, TakesAHundredThousandRoutesWithoutHoldingUpTheEventLoop) {
  FakeBird bird(options().path, like_bird({{"show route exported 'tor1'", many_routes(100000)}}));
  BirdClient client(io_.get_executor(), options());
  std::chrono::steady_clock::duration longest{};
  std::size_t taken = 0;
  const auto done = [&taken](std::exception_ptr, const Result<std::vector<IpAddress>>& all) {
    if (all) taken = all->size();
  };
  asio::co_spawn(io_, client.exported("tor1"), done);
  for (;;) {
    const auto before = std::chrono::steady_clock::now();
    if (io_.poll_one() > 0) {
      longest = std::max(longest, std::chrono::steady_clock::now() - before);
    } else if (io_.stopped()) {
      break;
    } else {
      std::this_thread::yield();
    }
  }
  EXPECT_EQ(taken, 100000U);
  // Ten times as much as is promised, for sanitizers and busy machines; in one go it takes more.
  EXPECT_LT(longest, milliseconds(100));
  RecordProperty("longest_us", static_cast<int>(longest / std::chrono::microseconds(1)));
}

TEST_F(BirdExportedTest, AnswersOthersWhileABulkAnswerIsAwaitedInVain) {
  FakeBird bird(options().path, [](const FakeConversation& peer) {
    peer.say(kGreeting);
    while (const auto command = peer.hear()) {
      if (command->starts_with("show route exported")) continue;  // never
      peer.say(*command == "show status" ? kStatus : kProtocols);
    }
  });
  BirdOptions slow = options();
  slow.bulk_timeout = milliseconds(400);
  BirdClient client(io_.get_executor(), slow);
  std::optional<Error> failed;
  const auto done = [&failed](std::exception_ptr, const Result<std::vector<IpAddress>>& all) {
    if (!all) failed = all.error();
  };
  asio::co_spawn(io_, client.exported("tor1"), done);
  io_.run_for(milliseconds(50));
  std::optional<Result<BirdSnapshot>> seen;
  const auto looked = [&seen](std::exception_ptr, Result<BirdSnapshot> snapshot) {
    seen.emplace(std::move(snapshot));
  };
  io_.restart();
  asio::co_spawn(io_, client.look(), looked);
  io_.run_for(milliseconds(150));
  ASSERT_TRUE(seen && *seen);
  EXPECT_FALSE(failed) << failed->message();
  io_.run_for(milliseconds(600));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code(), ErrorCode::kTimeout);
  EXPECT_EQ(client.problem(), "");
}

}  // namespace
}  // namespace fipd::bgp
