// What the source does where there is no controller's word, and where other keys tell the parts.
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

  void start_and_read() {
    start();
    EXPECT_TRUE(until([&] { return sink_.complete.has_value(); }));
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
  start_and_read();
  etcd_.hold(options_.keys.parts_prefix);
  etcd_.put(endpoint_, endpoint("172.16.1.3"));
  ASSERT_TRUE(until([&] { return etcd_.holding() == 1; }));
  etcd_.remove(migration_);
  turn(milliseconds(50));
  etcd_.release();
  EXPECT_TRUE(until([&] { return role() == Role::kServing; }));
}

}  // namespace
}  // namespace fipd
