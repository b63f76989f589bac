// What the source does where there is no controller's word, and where other keys tell the parts.
#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "daemon/sources/etcd/calico_endpoint.h"
#include "tests/unit/etcd/calico_words.h"
#include "tests/unit/etcd/etcd_source_fixture.h"

namespace fipd {
namespace {

using std::chrono::milliseconds;
using Role = Claim::Role;

const std::string kHere = "rack1-c1";

class CalicoSourceTest : public EtcdSourceFixture {
 protected:
  CalicoSourceTest() : EtcdSourceFixture(calico_keys("", kHere)) {}

  void start_and_follow() {
    start();
    EXPECT_TRUE(follows());
  }
  // Of the only claim.
  Role role() {
    EXPECT_TRUE(claimed(1));
    return sink_.claims.begin()->second.role;
  }

  const std::string endpoint_ = options_.keys.prefix + "9a7e0868--da-8ab8";
  const std::string migration_ =
      options_.keys.parts_prefix + "rack1--c1-openstack-9a7e0868--da-8ab8";
};

TEST_F(CalicoSourceTest, AMigrationThatEndsWhileItIsBeingReadHasEnded) {
  etcd_.put(migration_, migration("c2", kHere));
  start_and_follow();
  etcd_.hold(options_.keys.parts_prefix);
  etcd_.put(endpoint_, endpoint("172.16.1.3"));
  ASSERT_TRUE(until([&] { return etcd_.holding() == 1; }));
  etcd_.remove(migration_);
  turn(milliseconds(50));
  etcd_.release();
  EXPECT_TRUE(until([&] { return role() == Role::kServing; }));
}

TEST_F(CalicoSourceTest, AWipeThatIsNoticedDuringOtherWorkStaysNoticed) {
  const std::string other = options_.keys.prefix + "9a7e0868--da-9999";
  etcd_.put(endpoint_, endpoint("172.16.1.3"));
  EtcdFake::State wiped = etcd_.state();
  wiped.cluster = 2;
  etcd_.put(other, endpoint("172.16.1.4"));
  start_and_follow();
  ASSERT_TRUE(claimed(2));
  // The records are being copied for the disk, which takes its time, when the other etcd is read.
  std::promise<void> slow;
  const auto wait = [&] {
    slow.get_future().wait();
    return true;
  };
  turn(milliseconds(200));
  boost::asio::co_spawn(loop_, disk_.run(wait), boost::asio::detached);
  boost::asio::co_spawn(loop_, source_->accept(), boost::asio::detached);
  turn(milliseconds(800));
  etcd_.restore(wiped);
  const int before = etcd_.asked(options_.keys.prefix);
  ASSERT_TRUE(until([&] { return etcd_.asked(options_.keys.prefix) > before; }));
  turn(milliseconds(100));
  slow.set_value();
  ASSERT_TRUE(until([&] { return source_->report().held == 1; }));
  // What is read once more is trusted no more than the first time.
  etcd_.cut();
  look_again(options_.keys.prefix);
  turn(milliseconds(100));
  EXPECT_EQ(sink_.claims.size(), 2U);
  EXPECT_EQ(source_->report().held, 1U);
}

TEST_F(CalicoSourceTest, AMigrationThatAWipedEtcdLacksEndsWhenAllFloatingIpsAreBack) {
  for (const milliseconds settle : {milliseconds(0), milliseconds(100)}) {
    options_.settle = settle;
    etcd_.put(migration_, migration("c2", kHere));
    etcd_.put(endpoint_, endpoint("172.16.1.3"));
    start_and_follow();
    ASSERT_TRUE(until([&] { return role() == Role::kTarget; }));
    EtcdFake::State filled = etcd_.state();
    ++filled.cluster;
    filled.keys.erase(migration_);
    etcd_.restore(filled);
    EXPECT_TRUE(until([&] { return role() == Role::kServing; }));
    stop();
    std::filesystem::remove(options_.snapshot);
  }
}

}  // namespace
}  // namespace fipd
