#pragma once

#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "daemon/base/address.h"

namespace fipd::bgp {

inline constexpr std::uint32_t kTable = 172;
inline constexpr unsigned kProtocol = 172;

// A test in a network namespace of its own, with the interfaces t1 and t2 up (each the end of a
// veth pair) as an instance's taps would be.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    run("ip link set lo up");
    for (const char* tap : {"t1", "t2"}) {
      run(
          fmt::format("ip link add {0} type veth peer name {0}p && ip link set {0} up && "
                      "ip link set {0}p up",
                      tap));
    }
    t1_ = if_nametoindex("t1");
    t2_ = if_nametoindex("t2");
    ASSERT_NE(t1_, 0U);
    ASSERT_NE(t2_, 0U);
  }

  static void run(const std::string& command) {
    ASSERT_EQ(std::system((command + " 2>&1").c_str()), 0) << command;
  }

  static std::string output_of(const std::string& command) {
    std::string out;
    FILE* pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) return out;
    char line[512];
    while (fgets(line, sizeof line, pipe) != nullptr) out += line;
    pclose(pipe);
    return out;
  }

  static IpAddress address(const char* text) { return parse_address(text).value(); }

  unsigned t1_ = 0;
  unsigned t2_ = 0;
};

}  // namespace fipd::bgp
