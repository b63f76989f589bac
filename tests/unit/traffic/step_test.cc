#include <gmock/gmock.h>

#include "daemon/traffic_step.h"

namespace fipd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

nat::Traffic counted(std::string_view address, std::uint64_t in_bytes, std::uint64_t out_bytes) {
  nat::Traffic traffic;
  traffic.address = parse_address(address).value();
  traffic.received = {in_bytes / 100, in_bytes};
  traffic.sent = {out_bytes / 100, out_bytes};
  return traffic;
}

TEST(TrafficStep, IsWhatWasAddedInBothDirections) {
  const std::vector<nat::Traffic> before = {counted("10.0.0.1", 100, 200),
                                            counted("10.0.0.2", 300, 400)};
  const std::vector<nat::Traffic> now = {counted("10.0.0.1", 1100, 200),
                                         counted("10.0.0.2", 300, 2400)};
  const TrafficStep step = step_between(before, now, 0);
  EXPECT_EQ(step.growth, (Traffic{10, 1000, 20, 2000}));
  EXPECT_THAT(step.busiest, IsEmpty());
}

TEST(TrafficStep, NeverGoesBack) {
  const std::vector<nat::Traffic> before = {
      counted("10.0.0.1", 5000, 0), counted("10.0.0.2", 9000, 0), counted("2001:db8::1", 700, 0)};
  // The first began anew, the second is gone, the third is new.
  const std::vector<nat::Traffic> now = {counted("10.0.0.1", 300, 0), counted("10.0.0.3", 400, 0),
                                         counted("2001:db8::1", 700, 0)};
  EXPECT_EQ(step_between(before, now, 0).growth.in_bytes, 700U);
}

TEST(TrafficStep, NamesTheBusiestFirst) {
  std::vector<nat::Traffic> before;
  std::vector<nat::Traffic> now;
  for (unsigned i = 1; i <= 100; ++i) {
    const std::string address = fmt::format("10.0.0.{}", i);
    before.push_back(counted(address, 0, 0));
    now.push_back(counted(address, (i * 37 % 101) * 100, 0));
  }
  std::sort(before.begin(), before.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  std::sort(now.begin(), now.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  std::vector<std::uint64_t> busiest;
  for (const auto& each : step_between(before, now, 3).busiest) {
    busiest.push_back(each.growth.in_bytes);
  }
  EXPECT_THAT(busiest, ElementsAre(10000, 9900, 9800));
  EXPECT_THAT(step_between(now, now, 3).busiest, IsEmpty()) << "nobody moved";
}

}  // namespace
}  // namespace fipd
