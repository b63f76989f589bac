#include "tests/unit/reconcile/bench_top.h"

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Counters live in the kernel; fipd only sees to it that they are there, and never run backwards.
class Accounting : public BenchTop {
 protected:
  Accounting() { rules_.ruleset.accounting = true; }

  nat::Counter& counted(nat::Map map, const std::string& floating) {
    return std::get<nat::Counter>(nat_.elements.at({map, address(floating)}));
  }
  void count(const std::string& floating, nat::Counter received, nat::Counter sent) {
    counted(nat::Map::kReceived, floating) = received;
    counted(nat::Map::kSent, floating) = sent;
  }
  void read_counters() {
    reconciler_->note_traffic(
        std::make_shared<const std::vector<nat::Traffic>>(nat_.counters().value()));
  }
  void lose_table() {
    nat_.lose_table();
    reconciler_->foreign_commit({1, 1, "nft"});
    settle();
  }
};

TEST_F(Accounting, CountsInTheTransactionThatTranslates) {
  start();
  (void)effects();
  put("172.16.1.3", "10.65.0.13");
  EXPECT_THAT(effects(), ElementsAre("nat[+dnat 172.16.1.3:10.65.0.13, +received 172.16.1.3, "
                                     "+sent 172.16.1.3, +snat 10.65.0.13:172.16.1.3]",
                                     "add route 172.16.1.3 dev 7"));
  put("172.16.1.3", "10.65.0.14");
  EXPECT_THAT(effects(), ElementsAre("nat[+snat 10.65.0.14:172.16.1.3, -snat 10.65.0.13, "
                                     "~dnat 172.16.1.3:10.65.0.14]"));
  remove("172.16.1.3");
  EXPECT_THAT(effects(), ElementsAre("remove route 172.16.1.3 dev 7"));
  run_out_linger();
  EXPECT_THAT(effects(), ElementsAre("nat[-dnat 172.16.1.3, -received 172.16.1.3, "
                                     "-sent 172.16.1.3, -snat 10.65.0.14]"));
}

TEST_F(Accounting, GoesOnFromWhatWasReadLastWhenTheTableWasLost) {
  start();
  put("172.16.1.3", "10.65.0.13");
  count("172.16.1.3", {5, 500}, {7, 700});
  read_counters();
  count("172.16.1.3", {6, 600}, {7, 700});  // read by nobody
  lose_table();
  EXPECT_EQ(counted(nat::Map::kReceived, "172.16.1.3"), (nat::Counter{5, 500}));
  EXPECT_EQ(counted(nat::Map::kSent, "172.16.1.3"), (nat::Counter{7, 700}));
  lose_table();
  EXPECT_EQ(counted(nat::Map::kReceived, "172.16.1.3"), (nat::Counter{5, 500}))
      << "lost again before anybody has read";
}

TEST_F(Accounting, AnAddressThatComesBackBeginsAtNothing) {
  start();
  put("172.16.1.3", "10.65.0.13");
  count("172.16.1.3", {5, 500}, {7, 700});
  read_counters();
  remove("172.16.1.3");
  run_out_linger();
  put("172.16.1.3", "10.65.0.14");
  EXPECT_EQ(counted(nat::Map::kReceived, "172.16.1.3"), nat::Counter());
  lose_table();
  EXPECT_EQ(counted(nat::Map::kReceived, "172.16.1.3"), nat::Counter())
      << "the reading is of its former owner";
}

TEST_F(Accounting, LeavesAloneWhatCountsAlready) {
  start();
  put("172.16.1.3", "10.65.0.13");
  count("172.16.1.3", {5, 500}, {7, 700});
  (void)effects();
  nat_.damage = "chain prerouting is missing";
  reconciler_->foreign_commit({1, 1, "nft"});
  settle();
  EXPECT_THAT(effects(), ElementsAre("rules"));
  EXPECT_EQ(counted(nat::Map::kReceived, "172.16.1.3"), (nat::Counter{5, 500}));
}

TEST_F(Accounting, IsTurnedOnAndOffWhileRunning) {
  rules_.ruleset.accounting = false;
  start();
  put("172.16.1.3", "10.65.0.13");
  (void)effects();
  rules_.ruleset.accounting = true;
  reconciler_->configure(rules_);
  settle();
  EXPECT_THAT(effects(), ElementsAre("rules", "nat[+received 172.16.1.3, +sent 172.16.1.3]"));
  rules_.ruleset.accounting = false;
  reconciler_->configure(rules_);
  settle();
  EXPECT_THAT(effects(), ElementsAre("rules"));
  EXPECT_EQ(nat_.elements.size(), 2u);
}

TEST_F(Accounting, RemovesWhatSomebodyAddedToOurSets) {
  start();
  (void)effects();
  nat_.elements[{nat::Map::kSent, address("172.16.1.99")}] = nat::Counter{1, 1};
  reconciler_->foreign_commit({1, 1, "nft"});
  settle();
  EXPECT_THAT(effects(), ElementsAre("nat[-sent 172.16.1.99]"));
  reconciler_->foreign_commit({1, 1, "nft"});
  settle();
  EXPECT_THAT(effects(), IsEmpty());
}

}  // namespace
}  // namespace fipd
