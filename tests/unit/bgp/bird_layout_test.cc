#include "bgp/bird_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/bgp/bird_recording.h"

namespace fipd::bgp {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::vector<BirdProtocol> protocols_in(const BirdReply& reply) {
  const auto protocols = parse_protocols(reply);
  EXPECT_TRUE(protocols) << protocols.error().message();
  return protocols.value_or(std::vector<BirdProtocol>());
}

std::vector<std::string> names(const std::vector<BirdProtocol>& protocols) {
  std::vector<std::string> all;
  for (const BirdProtocol& each : protocols) all.push_back(each.name);
  return all;
}

const BirdProtocol& named(const std::vector<BirdProtocol>& protocols, const std::string& name) {
  for (const BirdProtocol& each : protocols) {
    if (each.name == name) return each;
  }
  throw std::runtime_error("no " + name);
}

TEST(BirdProtocolDetails, HaveTheNeighbourItsErrorAndTheChannels) {
  const auto down = protocols_in(answer("32-down-v2.0.12.txt", "show protocols all tor1"));
  ASSERT_THAT(down, SizeIs(1));
  EXPECT_EQ(down[0].neighbor, "10.99.0.2");
  EXPECT_EQ(down[0].neighbor_as, "64513");
  EXPECT_EQ(down[0].last_error, "Received: Administrative shutdown");
  ASSERT_THAT(down[0].channels, SizeIs(2));
  EXPECT_EQ(down[0].channels[1].name, "ipv6");
  EXPECT_EQ(down[0].channels[1].table, "master6");
  EXPECT_EQ(down[0].channels[1].state, "DOWN");
}

TEST(BirdProtocolDetails, SayThatAnExportLimitIsHit) {
  const auto hit = protocols_in(answer("03-down-limit.txt", "show protocols all tor"));
  EXPECT_TRUE(hit.at(0).channels.at(0).export_limit_hit);
  EXPECT_EQ(hit[0].channels[0].export_filter, "fip_export");
  EXPECT_EQ(hit[0].channels[0].exports, 20011U + 19989U);
  const auto not_hit = protocols_in(answer("20-v2.17.1.txt", "show protocols all"));
  EXPECT_FALSE(named(not_hit, "tor").channels.at(0).export_limit_hit);
}

TEST(BirdProtocolDetails, CountAcceptedChangesWhateverColumnsTheVersionHas) {
  const auto old = protocols_in(answer("20-v2.17.1.txt", "show protocols all"));
  EXPECT_EQ(named(old, "fip_krt").channels.at(0).imports, 11U);
  EXPECT_EQ(named(old, "tor").channels.at(0).exports, 11U);
  const auto pipe = protocols_in(answer("30-pipe-v2.0.12.txt", "show protocols all"));
  EXPECT_EQ(named(pipe, "fipd_kernel4").channels.at(0).preference, 200U);
  EXPECT_GT(named(pipe, "fipd_kernel4").channels.at(0).filtered, 0U);
  const auto& main = named(pipe, "fipd_pipe4").channels.at(0);
  EXPECT_EQ(main.table, "fip4");
  EXPECT_EQ(main.peer_table, "master4");
  EXPECT_TRUE(main.can_export());
  EXPECT_FALSE(main.can_import());
}

struct Recorded {
  const char* file;
  const char* kernel;
};
class EveryVersionsLayout : public testing::TestWithParam<Recorded> {};

TEST_P(EveryVersionsLayout, FindsTheKernelProtocolAndTheSessionByWhatTheyDo) {
  const BirdLayout layout(protocols_in(answer(GetParam().file, "show protocols all")), {});
  EXPECT_THAT(names(layout.kernels()), ElementsAre("fip_krt"));
  EXPECT_THAT(names(layout.sessions()), ElementsAre("tor"));
  EXPECT_THAT(layout.tables(), ElementsAre("fip4"));
  EXPECT_THAT(layout.problems(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Bird, EveryVersionsLayout,
                         testing::Values(Recorded{"01-basic.txt", ""},
                                         Recorded{"20-v2.17.1.txt", ""},
                                         Recorded{"20-v3.3.2.txt", ""}),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

TEST(BirdLayout, FollowsPipesToTheOperatorsSession) {
  const BirdLayout layout(protocols_in(answer("30-pipe-v2.0.12.txt", "show protocols all")), {});
  EXPECT_THAT(names(layout.kernels()), ElementsAre("second", "fipd_kernel4", "fipd_kernel6"));
  EXPECT_THAT(layout.tables(), ElementsAre("tother", "fip4", "fip6", "master4", "master6"));
  EXPECT_THAT(names(layout.sessions()), ElementsAre("tor1"));
  ASSERT_NE(layout.pipe("fip4", "master4"), nullptr);
  EXPECT_EQ(layout.pipe("fip4", "master4")->name, "fipd_pipe4");
  EXPECT_EQ(layout.pipe("fip4", "master6"), nullptr);
  // "second" is in start, and leads to no session: that is no problem of ours.
  EXPECT_THAT(layout.problems(), IsEmpty());
}

TEST(BirdLayout, SaysThatAnotherKernelProtocolHasTheTable) {
  auto protocols = protocols_in(answer("30-pipe-v2.0.12.txt", "show protocols all"));
  for (BirdProtocol& each : protocols) {
    if (each.name == "fipd_kernel4") each.state = "start";
  }
  const BirdLayout layout(protocols, {});
  EXPECT_THAT(layout.problems(),
              ElementsAre(StartsWith("kernel protocol fipd_kernel4 is not up but in start: another "
                                     "one reads the same kernel table")));
}

TEST(BirdLayout, SaysWhereNothingLearnsWhereNothingExportsAndWhatASessionSuffers) {
  auto protocols = protocols_in(answer("32-down-v2.0.12.txt", "show protocols all tor1"));
  EXPECT_THAT(BirdLayout(protocols, {}).problems(),
              ElementsAre(HasSubstr("no kernel protocol of BIRD learns"),
                          HasSubstr("session tor1 is start: Active Received: Administrative "
                                    "shutdown")));
  auto without = protocols_in(answer("20-v2.17.1.txt", "show protocols all"));
  std::erase_if(without, [](const BirdProtocol& each) { return each.proto == "BGP"; });
  EXPECT_THAT(BirdLayout(without, {}).problems(),
              ElementsAre(HasSubstr("no BGP session of BIRD exports from fip4")));
}

TEST(BirdLayout, LeavesOutSessionsThatCannotHaveOurs) {
  auto protocols = protocols_in(answer("20-v2.17.1.txt", "show protocols all"));
  BirdProtocol other = named(protocols, "tor");
  other.name = "elsewhere";
  other.channels[0].table = "master4";
  BirdProtocol silent = named(protocols, "tor");
  silent.name = "silent";
  silent.channels[0].export_filter = "REJECT";
  protocols.push_back(other);
  protocols.push_back(silent);
  const BirdLayout layout(protocols, {});
  EXPECT_THAT(names(layout.sessions()), ElementsAre("tor"));
  EXPECT_THAT(layout.bgp(), ElementsAre("tor", "elsewhere", "silent"));
}

TEST(BirdLayout, BelievesTheOperatorWhoNamesThem) {
  const auto protocols = protocols_in(answer("30-pipe-v2.0.12.txt", "show protocols all"));
  BirdHints hints;
  hints.kernel_protocols = {"fipd_kernel4", "nobody"};
  const BirdLayout layout(protocols, hints);
  EXPECT_THAT(names(layout.kernels()), ElementsAre("fipd_kernel4"));
  EXPECT_THAT(layout.tables(), ElementsAre("fip4", "master4"));
  EXPECT_THAT(layout.problems(), ElementsAre(HasSubstr("no protocol nobody")));
}

TEST(BirdLayout, TakesAllSessionsWhereBirdSaysNothingOfChannels) {
  const BirdLayout layout(protocols_in(answer("20-v2.17.1.txt", "show protocols")), {});
  EXPECT_THAT(layout.kernels(), IsEmpty());
  EXPECT_THAT(names(layout.sessions()), ElementsAre("tor"));
  EXPECT_THAT(layout.sessions_for(boost::asio::ip::address_v4()), SizeIs(1));
  EXPECT_THAT(layout.sessions_for(boost::asio::ip::address_v6()), SizeIs(1));
}

}  // namespace
}  // namespace fipd::bgp
