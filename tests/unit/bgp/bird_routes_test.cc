#include "bgp/bird_routes.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/bgp/bird_recording.h"

namespace fipd::bgp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kPipe = "30-pipe-v2.0.12.txt";
constexpr const char* kTrap = "31-trap-v2.0.12.txt";

std::vector<BirdRoute> routes_in(const BirdReply& reply) {
  const Result<std::vector<BirdRoute>> routes = parse_routes(reply);
  EXPECT_TRUE(routes) << routes.error().message();
  return routes.value_or(std::vector<BirdRoute>());
}

TEST(BirdRoutes, TellsOursFromACopyThatBgpBroughtInEveryTable) {
  const auto routes = routes_in(answer(kPipe, "show route 172.16.1.3/32 table all all"));
  ASSERT_THAT(routes, SizeIs(3));
  for (const BirdRoute& route : routes) EXPECT_EQ(route.prefix, *Prefix::parse("172.16.1.3/32"));
  EXPECT_EQ(routes[0].table, "master4");
  EXPECT_EQ(routes[0].source, "fipd_kernel4");
  EXPECT_TRUE(routes[0].best);
  EXPECT_EQ(routes[0].preference, 200U);
  EXPECT_EQ(routes[0].kernel_source, 172U);
  EXPECT_EQ(routes[0].kernel_metric, 1024U);
  EXPECT_EQ(routes[1].table, "master4");
  EXPECT_EQ(routes[1].source, "tor1");
  EXPECT_FALSE(routes[1].best);
  EXPECT_EQ(routes[1].preference, 100U);
  EXPECT_EQ(routes[1].origin_as, "64513");
  EXPECT_EQ(routes[1].via, "10.99.0.2");
  EXPECT_EQ(routes[1].next_hop, "10.99.0.2");
  EXPECT_EQ(routes[1].kernel_source, 0U);
  EXPECT_EQ(routes[2].table, "fip4");
}

TEST(BirdRoutes, SeesWhichOfTwoIsBestAlsoWhereItIsNotOurs) {
  const auto routes = routes_in(answer(kTrap, "show route 172.16.1.3/32 table all all"));
  ASSERT_THAT(routes, SizeIs(3));
  EXPECT_EQ(routes[0].source, "tor1");
  EXPECT_TRUE(routes[0].best);
  EXPECT_EQ(routes[1].source, "fipd_kernel4");
  EXPECT_FALSE(routes[1].best);
  EXPECT_EQ(routes[1].preference, 10U);
  const auto bulk = routes_in(answer(kTrap, "show route table 'master4' protocol 'fipd_kernel4'"));
  ASSERT_THAT(bulk, SizeIs(2));
  EXPECT_TRUE(bulk[0].best);
  EXPECT_FALSE(bulk[1].best);
}

TEST(BirdRoutes, HasWhatAnImportFilterRejectedAndWhoseRouteItWas) {
  const auto outside = routes_in(answer(kPipe, "show route filtered 172.16.2.9/32 table all all"));
  ASSERT_THAT(outside, SizeIs(1));
  EXPECT_EQ(outside[0].kernel_source, 172U);
  const auto hidden = routes_in(answer(kPipe, "show route filtered 172.16.1.4/32 table all all"));
  ASSERT_THAT(hidden, SizeIs(1));
  EXPECT_EQ(hidden[0].kernel_source, 4U);
  EXPECT_EQ(hidden[0].kernel_metric, 5U);
}

TEST(BirdRoutes, AreNoneWhereThePrefixOrTheSessionIsNot) {
  EXPECT_THAT(routes_in(answer(kPipe, "show route 172.16.9.9/32 table all all")), IsEmpty());
  EXPECT_THAT(routes_in(answer("20-v3.3.2.txt", "show route 203.0.113.20/32 table fip4 all")),
              IsEmpty());
  EXPECT_THAT(routes_in(answer("32-down-v2.0.12.txt", "show route exported 'tor1'")), IsEmpty());
}

TEST(BirdRoutes, AreAnErrorWhereBirdDoesNotKnowTheTable) {
  const auto routes = parse_routes(answer("01-basic.txt", "show route table nosuch"));
  ASSERT_FALSE(routes);
  EXPECT_EQ(routes.error().code(), ErrorCode::kNotFound);
}

TEST(BirdRoutes, ComeTheSameInSlicesOfAnySize) {
  const BirdReply reply = answer(kPipe, "show route 172.16.1.3/32 table all all");
  for (const std::size_t lines : {1U, 2U, 7U}) {
    Result<RouteRows> rows = RouteRows::in(reply);
    ASSERT_TRUE(rows);
    std::vector<BirdRoute> routes;
    while (rows->take(lines, routes)) {
    }
    EXPECT_EQ(routes, routes_in(reply)) << lines;
  }
}

// birdc's print of a table, as the socket sends it.
std::string as_reply(const std::string& table, const std::string& rows) {
  return "1007-Table " + table + ":\n" + rows + "0000 \n";
}

std::string file_text(const std::string& name) {
  const auto here = std::filesystem::path(__FILE__).parent_path();
  std::ifstream file(here / "bird_sessions" / name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

class DrainRecording : public testing::TestWithParam<const char*> {};

TEST_P(DrainRecording, HasTheRoutersRouteInBothNewerVersions) {
  std::istringstream text(file_text(GetParam()));
  std::string line;
  std::getline(text, line);  // "Table master4:"
  std::string rows;
  while (std::getline(text, line) && !line.starts_with("#")) {
    const bool attribute = line.find("Type:") != line.npos || line.find("BGP.") != line.npos;
    rows += (attribute ? "1012-" : "1007-") + line + "\n";
  }
  const auto routes = routes_in(only_reply(as_reply("master4", rows)));
  ASSERT_THAT(routes, SizeIs(1));
  EXPECT_EQ(routes[0].source, "host");
  EXPECT_EQ(routes[0].origin_as, "64512");
  EXPECT_EQ(routes[0].next_hop, "10.99.0.1");
  EXPECT_TRUE(routes[0].best);
}

INSTANTIATE_TEST_SUITE_P(Bird, DrainRecording,
                         testing::Values("21-drain-v2.17.1.txt", "21-drain-v3.3.2.txt"),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

TEST(BirdRoutes, UnderstandsEveryKindOfRouteThatTheKernelProtocolLearns) {
  std::istringstream text(file_text("10-route-kinds.txt"));
  std::size_t rows = 0;
  for (std::string line; std::getline(text, line);) {
    const std::string mark = " A: Table fip4: ";
    if (!line.starts_with(mark)) continue;
    const std::size_t details = line.find(" Type:");
    const std::string row = " " + line.substr(mark.size(), details - mark.size()) + "\n";
    const auto routes = routes_in(only_reply(as_reply("fip4", row)));
    ASSERT_THAT(routes, SizeIs(1)) << line;
    EXPECT_EQ(routes[0].source, "fip_krt") << line;
    EXPECT_TRUE(routes[0].best) << line;
    ++rows;
  }
  EXPECT_GT(rows, 10U);
}

TEST(BirdRoutes, LeavesOutWhatIsNoRoute) {
  EXPECT_THAT(routes_in(only_reply(as_reply("t",
                                            " 172.16.1.3/32 unicast\n 172.16.1.4/33 unicast "
                                            "[k 1] * (200)\n unicast [k 1] (1)\n"))),
              IsEmpty());
}

TEST(BirdExportedRows, LeaveOutWhatAnotherSessionBrought) {
  const BirdReply reply =
      answer(kPipe,
             "show route table 'master4' where source = RTS_BGP && (net.len = 32 || "
             "net.len = 128)");
  Result<ExportedRows> rows = ExportedRows::in(reply);
  ASSERT_TRUE(rows);
  std::vector<Prefix> all;
  EXPECT_FALSE(rows->take(100, all));
  EXPECT_THAT(all, SizeIs(2));
  Result<ExportedRows> ours = ExportedRows::in(reply);
  ours->ignore({"tor1"});
  std::vector<Prefix> none;
  EXPECT_FALSE(ours->take(100, none));
  EXPECT_THAT(none, IsEmpty());
}

TEST(BirdReader, PassesOverWhatBirdStreamsWhenItsEchoOverflows) {
  // Each line of the recording is a Python list of byte strings.
  std::string bytes;
  std::istringstream text(file_text("06-async-overflow.txt"));
  for (std::string line; std::getline(text, line);) {
    for (std::size_t at = line.find("b'+"); at != line.npos; at = line.find("b'+", at)) {
      const std::size_t end = line.find('\'', at + 2);
      bytes += line.substr(at + 2, end - at - 2) + "\n";
      at = end;
    }
  }
  EXPECT_GT(bytes.size(), 100U);
  EXPECT_THAT(replies_in(bytes + "0000 \n", 5), SizeIs(1));
}

}  // namespace
}  // namespace fipd::bgp
