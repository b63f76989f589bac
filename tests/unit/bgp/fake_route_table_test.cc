#include "bgp/fake_route_table.h"

#include <gtest/gtest.h>

namespace fipd::bgp {
namespace {

const IpAddress kSeven = parse_address("203.0.113.7").value();
const IpAddress kEight = parse_address("2001:db8::8").value();
const HostRoute kRoute{kSeven, 1024, 3};
const HostRoute kMoved{kSeven, 1024, 4};
const HostRoute kOther{kEight, 1024, 3};

int refused(FakeRouteTable& table, RouteAction action, const HostRoute& route) {
  const RouteChange change{action, route};
  const auto failures = table.apply({&change, 1}).value();
  return failures.empty() ? 0 : failures.front().error.os_error();
}

TEST(FakeRouteTable, AddsOnlyWhereNothingIs) {
  FakeRouteTable table;
  EXPECT_EQ(refused(table, RouteAction::kAdd, kRoute), 0);
  EXPECT_EQ(refused(table, RouteAction::kAdd, kMoved), EEXIST);
  table.add_stranger(StrangerRoute{Prefix(kEight, 128), 1024, 99});
  EXPECT_EQ(refused(table, RouteAction::kAdd, kOther), EEXIST);
  EXPECT_EQ(table.dump()->own, std::vector{kRoute});
}

TEST(FakeRouteTable, ReplacesOnlyWhatIs) {
  FakeRouteTable table;
  EXPECT_EQ(refused(table, RouteAction::kReplace, kMoved), ENOENT);
  table.put(kRoute);
  EXPECT_EQ(refused(table, RouteAction::kReplace, kMoved), 0);
  EXPECT_EQ(table.dump()->own, std::vector{kMoved});
}

TEST(FakeRouteTable, RemovesExactlyTheRouteAndForgivesAGoneOne) {
  FakeRouteTable table;
  table.put(kRoute);
  EXPECT_EQ(refused(table, RouteAction::kRemove, kMoved), 0);
  EXPECT_TRUE(table.has(kSeven));
  EXPECT_EQ(refused(table, RouteAction::kRemove, kRoute), 0);
  EXPECT_FALSE(table.has(kSeven));
}

TEST(FakeRouteTable, KeepsRealmsOfIpv4Only) {
  FakeRouteTable table;
  HostRoute coloured = kRoute;
  coloured.realm = 7;
  HostRoute coloured6 = kOther;
  coloured6.realm = 7;
  EXPECT_EQ(refused(table, RouteAction::kAdd, coloured), 0);
  EXPECT_EQ(refused(table, RouteAction::kAdd, coloured6), 0);
  EXPECT_EQ(table.dump()->own, (std::vector{coloured, kOther}));
  EXPECT_EQ(refused(table, RouteAction::kRemove, kRoute), 0);
  EXPECT_FALSE(table.has(kSeven));
}

TEST(FakeRouteTable, KeepsAJournalOfWhatTookEffect) {
  FakeRouteTable table;
  table.fail(kSeven, ENETDOWN);
  std::vector<IpAddress> seen;
  table.on_change = [&](const RouteChange& change) { seen.push_back(change.route.destination); };
  const std::vector changes{RouteChange{RouteAction::kAdd, kRoute},
                            RouteChange{RouteAction::kAdd, kOther},
                            RouteChange{RouteAction::kRemove, kMoved}};
  const auto failures = table.apply(changes).value();
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures[0].index, 0U);
  EXPECT_EQ(failures[1].index, 2U);
  EXPECT_EQ(table.journal(), std::vector{changes[1]});
  EXPECT_EQ(seen, std::vector{kEight});
  EXPECT_EQ(table.calls(), std::vector<std::size_t>{3});
}

TEST(FakeRouteTable, LosesItsRoutesWithoutAJournal) {
  FakeRouteTable table;
  table.put(kRoute);
  table.put(kOther);
  EXPECT_EQ(table.dump(3)->own.size(), 2U);
  EXPECT_TRUE(table.dump(4)->own.empty());
  table.lose_all();
  EXPECT_TRUE(table.dump()->own.empty());
  EXPECT_TRUE(table.journal().empty());
}

}  // namespace
}  // namespace fipd::bgp
