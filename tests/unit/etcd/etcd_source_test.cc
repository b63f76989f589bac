#include "daemon/sources/etcd/etcd_source.h"

#include <gtest/gtest.h>

#include "daemon/sources/etcd/etcd_binding.h"
#include "tests/unit/etcd/etcd_source_fixture.h"

namespace fipd {
namespace {

using std::chrono::milliseconds;

const std::string kHost = "/fipd/v1/host/compute1/fip/";
const std::string kReady = "/fipd/v1/ready";

class EtcdSourceTest : public EtcdSourceFixture {
 protected:
  EtcdSourceTest() : EtcdSourceFixture(fipd_keys("/fipd/v1/", "compute1")) {}

  void put(int number) {
    etcd_.put(fmt::format("{}id{}", kHost, number),
              fmt::format(R"({{"floating":"172.16.1.{}","fixed":"10.65.0.13"}})", number));
  }
  void remove(int number) { etcd_.remove(fmt::format("{}id{}", kHost, number)); }
  // A backup with one floating IP is taken, another one follows, and then the whole cloud goes on.
  EtcdFake::State serve_two_after_a_backup() {
    put(3);
    etcd_.put(kReady, "{}");
    EtcdFake::State backup = etcd_.state();
    start();
    put(4);
    EXPECT_TRUE(claimed(2) && follows());
    return backup;
  }
  // The cluster is restored, and written to until it is beyond the last change of a key of ours.
  void restore(const EtcdFake::State& backup) {
    EtcdFake::State restored = backup;
    restored.revision += 100;
    etcd_.restore(std::move(restored));
  }
};

TEST_F(EtcdSourceTest, AnOlderStateIsToldByWhatProbesSawAlthoughItIsBeyondTheLastChangeTaken) {
  const EtcdFake::State backup = serve_two_after_a_backup();
  etcd_.pass(10000);
  look_again(kReady);
  restore(backup);
  ASSERT_TRUE(until([&] { return source_->report().held == 1; }));
  EXPECT_EQ(sink_.claims.size(), 2U);
  // From the controller's next word on it is believed.
  etcd_.put(kReady, "{}");
  EXPECT_TRUE(claimed(1));
}

TEST_F(EtcdSourceTest, AnOlderStateIsToldByASignOfLifeOnTheWatch) {
  options_.probe = std::chrono::minutes(5);
  const EtcdFake::State backup = serve_two_after_a_backup();
  etcd_.pass(10000);
  etcd_.tell_progress();
  turn(milliseconds(50));
  restore(backup);
  ASSERT_TRUE(until([&] { return source_->report().held == 1; }));
  EXPECT_EQ(sink_.claims.size(), 2U);
}

TEST_F(EtcdSourceTest, AnOlderStateIsToldAfterARestartThatCameWithIt) {
  options_.save_header = milliseconds(50);
  const EtcdFake::State backup = serve_two_after_a_backup();
  etcd_.pass(10000);
  look_again(kReady);
  // Saves are at least half a second apart.
  turn(milliseconds(1200));
  stop();
  restore(backup);
  start();
  ASSERT_TRUE(until([&] { return source_->report().held == 1; }));
  EXPECT_EQ(sink_.claims.size(), 2U);
}

TEST_F(EtcdSourceTest, WhatWasRefusedForTheLimitIsTakenWhenThereIsRoomAndWhenTheLimitIsRaised) {
  options_.max = 2;
  etcd_.put(kReady, "{}");
  put(1), put(2), put(3), put(4);
  start();
  ASSERT_TRUE(claimed(2));
  ASSERT_TRUE(until([&] { return source_->refused().size() == 2; }));
  remove(1);
  EXPECT_TRUE(until([&] { return source_->refused().size() == 1; }));
  EXPECT_TRUE(claimed(2));
  source_->configure(options_.hold, 3);
  EXPECT_TRUE(claimed(3));
  EXPECT_TRUE(source_->refused().empty());
  // That is all: nobody reads on and on.
  const int read = etcd_.asked(kHost);
  look_again(kReady);
  EXPECT_EQ(etcd_.asked(kHost), read);
}

TEST_F(EtcdSourceTest, WhatIsHeldIsLookedAtAgainUnderANewRule) {
  for (int number = 1; number <= 30; ++number) put(number);
  etcd_.put(kReady, "{}");
  start();
  ASSERT_TRUE(claimed(30) && follows());
  EtcdFake::State fewer = etcd_.state();
  std::erase_if(fewer.keys, [](const auto& each) { return each.first > kHost + "id2"; });
  fewer.keys[kReady] = {"{}", ++fewer.revision};
  etcd_.restore(std::move(fewer));
  ASSERT_TRUE(until([&] { return source_->report().held > 10; }));
  source_->configure(HoldRule{1.0, 10}, options_.max);
  EXPECT_TRUE(until([&] { return source_->report().held == 0; }));
  EXPECT_LT(sink_.claims.size(), 20U);
}

}  // namespace
}  // namespace fipd
