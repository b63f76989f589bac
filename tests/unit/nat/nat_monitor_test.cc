#include "nat/nat_monitor.h"

#include <chrono>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "kernel_fixture.h"

namespace fipd::nat {
namespace {

class Witness : public NatObserver {
 public:
  void foreign_commit(const ForeignCommit& commit) override { seen.push_back(commit); }
  void nat_overrun() override { ++overruns; }
  void neighbours_changed() override { ++neighbours; }

  std::vector<ForeignCommit> seen;
  unsigned overruns = 0;
  unsigned neighbours = 0;
};

class NatMonitorTest : public NftTableFixture {
 protected:
  void SetUp() override {
    NftTableFixture::SetUp();
    if (IsSkipped()) return;
    auto monitor = NatMonitor::open(io_.get_executor(), "fipd", table_->ports(), witness_);
    ASSERT_TRUE(monitor) << monitor.error().message();
    monitor_ = std::move(*monitor);
    monitor_->start();
  }
  // Events are there by the time a commit returns.
  void look() {
    io_.restart();
    io_.run_for(std::chrono::milliseconds(50));
  }

  boost::asio::io_context io_;
  Witness witness_;
  std::unique_ptr<NatMonitor> monitor_;
};

TEST_F(NatMonitorTest, SaysWhoCommittedByHandAndNotWhatWeDid) {
  ASSERT_EQ(table_->ports().size(), 2u);
  ASSERT_EQ(ensure(), "the table is missing");
  ASSERT_TRUE(table_->commit(pairs(10)));
  look();
  EXPECT_TRUE(witness_.seen.empty());
  by_hand("delete element inet fipd fixed_by_floating { 172.16.0.3 }");
  look();
  ASSERT_EQ(witness_.seen.size(), 1u);
  EXPECT_EQ(witness_.seen[0].name, "nft");
  EXPECT_NE(witness_.seen[0].pid, 0u);
  EXPECT_NE(witness_.seen[0].generation, 0u);
}

TEST_F(NatMonitorTest, SeesAFlushedRulesetAndADeletedTable) {
  ASSERT_EQ(ensure(), "the table is missing");
  by_hand("flush ruleset");
  look();
  EXPECT_EQ(witness_.seen.size(), 1u);
  ASSERT_EQ(ensure(), "the table is missing");
  by_hand("delete table inet fipd");
  look();
  EXPECT_EQ(witness_.seen.size(), 2u);
}

TEST_F(NatMonitorTest, PassesOverOtherTables) {
  by_hand("add table ip fipd; add table inet fipd2; add chain inet fipd2 fipd");
  look();
  EXPECT_TRUE(witness_.seen.empty());
}

TEST_F(NatMonitorTest, TellsOfBaseChainsAndTablesOfOthersAndOfNothingElseOfTheirs) {
  ASSERT_EQ(ensure(), "the table is missing");
  const auto told = [&] {
    look();
    return std::exchange(witness_.neighbours, 0U);
  };
  EXPECT_EQ(told(), 0u);
  shell("iptables-nft -t nat -A POSTROUTING -s 10.65.0.0/16 -j MASQUERADE");
  EXPECT_GE(told(), 1u);
  by_hand(
      "add table inet other; add chain inet other plain; add set inet other s { type ipv4_addr; }");
  EXPECT_EQ(told(), 1u) << "the table";
  by_hand("add rule inet other plain accept; add element inet other s { 10.0.0.1 }");
  by_hand("add chain inet other more");
  EXPECT_EQ(told(), 0u);
  by_hand("add chain inet other drops { type filter hook forward priority 0; policy drop; }");
  EXPECT_EQ(told(), 1u);
  by_hand("add chain inet other drops { policy accept; }");
  EXPECT_EQ(told(), 1u);
  by_hand("delete table inet other");
  EXPECT_EQ(told(), 1u);
  EXPECT_TRUE(witness_.seen.empty());
}

TEST_F(NatMonitorTest, SeesEachOfManyCommitsOnce) {
  ASSERT_EQ(ensure(), "the table is missing");
  auto other = NftTable::open("fipd");
  ASSERT_TRUE(other);
  for (const ElementChange& change : pairs(500)) ASSERT_TRUE((*other)->commit({&change, 1}));
  look();
  EXPECT_EQ(witness_.seen.size(), 1000u);
  EXPECT_EQ(witness_.overruns, 0u);
}

TEST_F(NatMonitorTest, TellsOfAnOverrunAndGoesOn) {
  ASSERT_EQ(ensure(), "the table is missing");
  auto other = NftTable::open("fipd");
  ASSERT_TRUE(other);
  // 800,000 elements told at once are more than the buffer holds.
  std::vector<ElementChange> changes = pairs(100000);
  const auto more = pairs(100000, true);
  changes.insert(changes.end(), more.begin(), more.end());
  auto gone = changes;
  for (auto& one : gone) std::swap(one.before, one.after);
  ASSERT_TRUE((*other)->commit(changes));
  ASSERT_TRUE((*other)->commit(gone));
  // Tens of megabytes are read before this one.
  by_hand("flush ruleset");
  const auto told = [&] { return !witness_.seen.empty() && witness_.seen.back().name == "nft"; };
  for (unsigned tries = 0; tries < 200 && !told(); ++tries) {
    look();
    if (witness_.overruns > 0 && tries % 20 == 19) by_hand("add table inet fipd");
  }
  EXPECT_GE(witness_.overruns, 1u);
  EXPECT_TRUE(told());
}

TEST_F(NatMonitorTest, MayBeDestroyedWithEventsWaiting) {
  by_hand("add table inet fipd");
  io_.restart();
  io_.poll_one();
  monitor_.reset();
  by_hand("delete table inet fipd");
  look();
  EXPECT_LE(witness_.seen.size(), 1u);
}

}  // namespace
}  // namespace fipd::nat
