#include "bgp/bird_reply.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bgp/bird_protocols.h"
#include "tests/unit/bgp/bird_recording.h"

namespace fipd::bgp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RecordedSession : public testing::TestWithParam<const char*> {};

TEST_P(RecordedSession, GivesOneReplyACommandInPiecesOfAnySize) {
  const Recording recording = recorded(GetParam());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, recording.bytes.size()}) {
    EXPECT_THAT(replies_in(recording.bytes, piece), SizeIs(recording.commands.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Bird, RecordedSession,
                         testing::Values("01-basic.txt", "02-admin.txt", "03-down-limit.txt",
                                         "20-v2.17.1.txt", "20-v3.3.2.txt"),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

struct Version {
  const char* file;
  const char* version;
};

class EveryVersion : public testing::TestWithParam<Version> {};

TEST_P(EveryVersion, NamesItselfInGreetingAndStatus) {
  const auto [file, version] = GetParam();
  EXPECT_EQ(parse_greeting(answer(file, "greeting")), version);
  const Result<BirdStatus> status = parse_status(answer(file, "show status"));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->version, version);
  EXPECT_THAT(status->last_reboot, testing::StartsWith("2026-11-22 2"));
  EXPECT_FALSE(status->recovering);
}

TEST_P(EveryVersion, ShowsItsSessionUpAndThenItsDowning) {
  const char* file = GetParam().file;
  const auto protocols = parse_protocols(answer(file, "show protocols"));
  ASSERT_TRUE(protocols);
  std::map<std::string, BirdProtocol> by_name;
  for (const BirdProtocol& protocol : *protocols) by_name[protocol.name] = protocol;
  EXPECT_EQ(by_name["tor"].proto, "BGP");
  EXPECT_EQ(by_name["tor"].state, "up");
  EXPECT_EQ(by_name["tor"].info, "Established");
  EXPECT_EQ(by_name["tor"].since.size(), std::string("2026-11-22 21:10:28.356").size());
  EXPECT_EQ(by_name["fip_krt"].table, "fip4");
  EXPECT_EQ(by_name["fip_krt"].info, "");
}

TEST_P(EveryVersion, KnowsTheSameRowsWithAllTheirDetails) {
  const char* file = GetParam().file;
  auto detailed = parse_protocols(answer(file, "show protocols all"));
  ASSERT_TRUE(detailed);
  for (BirdProtocol& each : *detailed) {
    each.neighbor.clear();
    each.neighbor_as.clear();
    each.channels.clear();
  }
  EXPECT_EQ(detailed, parse_protocols(answer(file, "show protocols")));
}

INSTANTIATE_TEST_SUITE_P(Bird, EveryVersion,
                         testing::Values(Version{"01-basic.txt", "2.0.12"},
                                         Version{"20-v2.17.1.txt", "2.17.1"},
                                         Version{"20-v3.3.2.txt", "3.3.2"}),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

TEST(BirdExported, ListsThePrefixesAndNotTheirDetails) {
  const auto all = parse_exported(answer("01-basic.txt", "show route exported tor"));
  ASSERT_TRUE(all) << all.error().message();
  std::vector<std::string> texts;
  for (const Prefix& prefix : *all) texts.push_back(prefix.to_string());
  EXPECT_THAT(texts, ElementsAre("203.0.113.12/32", "203.0.113.11/32", "203.0.113.10/32"));
  const auto one =
      parse_exported(answer("20-v2.17.1.txt", "show route exported tor 203.0.113.20/32 all"));
  ASSERT_TRUE(one);
  EXPECT_THAT(*one, ElementsAre(*Prefix::parse("203.0.113.20/32")));
}

TEST(BirdExported, IsEmptyWhereNothingIsExportedAndWhereTheSessionIsDown) {
  const auto v3_none = answer("20-v3.3.2.txt", "show route exported tor 203.0.113.20/32 all");
  const auto v3_table = answer("20-v3.3.2.txt", "show route 203.0.113.20/32 table fip4 all");
  const auto v2_down = answer("03-down-limit.txt", "show route exported tor");
  const auto v3_down = answer("20-v3.3.2.txt", "show route exported tor");
  for (const BirdReply& reply : {v3_none, v3_table, v2_down, v3_down}) {
    const auto exported = parse_exported(reply);
    ASSERT_TRUE(exported) << exported.error().message();
    EXPECT_THAT(*exported, IsEmpty());
  }
}

TEST(BirdExported, SaysThatBirdDoesNotKnowTheSession) {
  const auto exported = parse_exported(
      only_reply("9001 syntax error, unexpected CF_SYM_UNDEFINED, expecting CF_SYM_KNOWN\n"));
  ASSERT_FALSE(exported);
  EXPECT_EQ(exported.error().code(), ErrorCode::kNotFound);
}

TEST(BirdExported, IsAnErrorWhereBirdRefuses) {
  const auto exported = parse_exported(only_reply("8007 Access denied\n"));
  ASSERT_FALSE(exported);
  EXPECT_THAT(exported.error().message(), HasSubstr("8007 Access denied"));
}

TEST(BirdProtocols, TakesOneWordOrTwoForSince) {
  const auto rows = parse_protocols(only_reply(
      "2002-Name       Proto      Table      State  Since         Info\n"
      "1002-a BGP --- up 21:04:37.343  Established   \n"
      " b BGP --- start 2026-11-22 21:04:37.343  Active        Socket: Connection refused\n"
      " c BGP --- start 2026-11-22  Connect\n"
      " d Kernel fip4 up 21:04:37.343  \n"
      " cut short\n"
      "0000 \n"));
  ASSERT_TRUE(rows);
  ASSERT_THAT(*rows, SizeIs(4));
  EXPECT_EQ(rows->at(0).since, "21:04:37.343");
  EXPECT_EQ(rows->at(0).info, "Established");
  EXPECT_EQ(rows->at(1).since, "2026-11-22 21:04:37.343");
  EXPECT_EQ(rows->at(1).info, "Active        Socket: Connection refused");
  EXPECT_EQ(rows->at(2).since, "2026-11-22");
  EXPECT_EQ(rows->at(2).info, "Connect");
  EXPECT_EQ(rows->at(3).info, "");
}

TEST(BirdStatus, SeesARecoveryFromARestart) {
  const auto status = parse_status(only_reply(
      "1000-BIRD 2.0.12\n1011-Router ID is 10.99.0.1\n Last reboot on 2026-11-22 20:57:26.234\n"
      "0024-Graceful restart recovery in progress\n   Waiting for 1 channels to recover\n"
      "0013 Daemon is up and running\n"));
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->recovering);
}

TEST(BirdReader, SkipsMessagesBetweenAndWithinReplies) {
  const auto replies = replies_in(
      "+Reconfiguring\n0001 BIRD 2.0.12 ready.\n+tor: Starting\n"
      "1007-Table fip4:\n+tor: State changed to up\n 203.0.113.1/32 unicast [k 1] * (200)\n"
      "+0000 not the end\n\t"
      "",
      3);
  ASSERT_THAT(replies, SizeIs(1));
  const auto exported = parse_exported(only_reply(
      "+x\n1007-Table fip4:\n+0000 \n 203.0.113.1/32  unicast [k 1] * (200)\n+\n0000 \n"));
  ASSERT_TRUE(exported);
  EXPECT_THAT(*exported, SizeIs(1));
}

TEST(BirdReader, GivesTheStreamOfStatesOneReplyForTheOneQuestion) {
  const Recording recording = recorded("05-async-states.txt");
  BirdReplyReader reader;
  std::vector<unsigned> codes;
  std::istringstream lines(recording.bytes);
  std::string line;
  while (std::getline(lines, line)) {
    if (line.starts_with(">") || line.starts_with("b'")) continue;
    ASSERT_TRUE(reader.feed(line + "\n")) << line;
    while (auto reply = reader.take()) codes.push_back(reply->code());
  }
  EXPECT_THAT(codes, ElementsAre(0U, 0U, 0U, 0U));  // debug, echo, show route, debug off
}

TEST(BirdReader, RefusesALineLongerThanAnyOfBirds) {
  BirdReplyReader reader;
  ASSERT_TRUE(reader.feed("1007-"));
  Outcome fed = success();
  for (int i = 0; i < 10 && fed; ++i) fed = reader.feed(std::string(1000, 'x'));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kLimit);
}

TEST(BirdReader, RefusesAReplyOfElevenMegabytes) {
  BirdReplyReader reader;
  const std::string line = "1007-" + std::string(1000, 'x') + "\n";
  std::size_t sent = 0;
  Outcome fed = success();
  for (; sent < (11U << 20) && fed; sent += line.size()) fed = reader.feed(line);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code(), ErrorCode::kLimit);
  EXPECT_GT(sent, 10U << 20);
}

TEST(BirdReader, TakesManyRepliesOneAfterTheOtherBeyondTheLimitOfOne) {
  BirdReplyReader reader;
  const std::string reply = "1007-" + std::string(1000, 'x') + "\n0000 \n";
  for (int i = 0; i < 12000; ++i) {
    ASSERT_TRUE(reader.feed(reply));
    ASSERT_TRUE(reader.take());
  }
}

TEST(BirdReader, RefusesWhatNoBirdWouldSay) {
  for (const char* garbage : {"SSH-2.0-OpenSSH_9.2\n", "\n", " continued from nothing\n", "00000\n",
                              "12a4 x\n", "HTTP/1.1 400 Bad Request\r\n"}) {
    BirdReplyReader reader;
    const Outcome fed = reader.feed(garbage);
    ASSERT_FALSE(fed) << garbage;
    EXPECT_EQ(fed.error().code(), ErrorCode::kUnavailable);
  }
}

TEST(BirdGreeting, IsNotAnotherDaemonsGreeting) {
  for (const char* other : {"0000 BIRD 2.0.12 ready.\n", "0001 \n", "0001 FRR 8.4 ready.\n",
                            "0001 BIRD ready.\n", "9001 BIRD 2.0.12 ready.\n"}) {
    EXPECT_FALSE(parse_greeting(only_reply(other))) << other;
  }
}

TEST(BirdQuotable, KeepsForeignTextShortAndPrintable) {
  EXPECT_EQ(quotable("a\x1b[31mb\n"), "a?[31mb?");
  EXPECT_THAT(quotable(std::string(500, 'x')), SizeIs(83));
}

}  // namespace
}  // namespace fipd::bgp
