#include "daemon/exports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fipd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const IpAddress kA = *parse_address("172.16.1.3");
const IpAddress kB = *parse_address("2001:db8::3");

TEST(Exports, CountsAnAddressOnceHoweverManySessionsHaveIt) {
  Exports exports;
  exports.add(exports.session("tor1"), kA);
  exports.add(exports.session("tor2"), kA);
  exports.add(exports.session("tor2"), kB);
  EXPECT_EQ(exports.size(), 2U);
  EXPECT_THAT(exports.having(kA), ElementsAre("tor1", "tor2"));
  EXPECT_THAT(exports.having(kB), ElementsAre("tor2"));
}

TEST(Exports, LetsGoOfWhatOnlyALostSessionHad) {
  Exports exports;
  exports.set(kA, {"tor1", "tor2"});
  exports.set(kB, {"tor2"});
  exports.keep([](const std::string& name) { return name == "tor1"; });
  EXPECT_THAT(exports.having(kA), ElementsAre("tor1"));
  EXPECT_THAT(exports.having(kB), IsEmpty());
  EXPECT_EQ(exports.size(), 1U);
  exports.keep([](const std::string&) { return false; });
  EXPECT_EQ(exports.size(), 0U);
}

TEST(Exports, ReplacesWhatWasKnownOfAnAddress) {
  Exports exports;
  exports.set(kA, {"tor1"});
  exports.set(kA, {"tor2"});
  EXPECT_THAT(exports.having(kA), ElementsAre("tor2"));
  exports.set(kA, {});
  EXPECT_EQ(exports.size(), 0U);
}

}  // namespace
}  // namespace fipd
