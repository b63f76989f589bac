#include "daemon/health/kernel_prober.h"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gmock/gmock.h>

namespace fipd::health {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;

// In a network namespace of its own, whose loopback has everything that is asked.
class Probing : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root for a network namespace";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(std::system("ip link set lo up && ip route add blackhole 10.9.9.9 && "
                          "ip route add 10.8.8.8 dev lo"),
              0);
  }

  static void set_ping_group_range(const char* range) {
    std::ofstream("/proc/sys/net/ipv4/ping_group_range") << range;
  }

  ProbeResult probe(const char* address, std::uint16_t port,
                    std::chrono::milliseconds timeout = std::chrono::milliseconds(5000)) {
    std::optional<ProbeResult> result;
    prober_.probe({*parse_address(address), port}, timeout,
                  [&](ProbeResult answer) { result = std::move(answer); });
    EXPECT_FALSE(result) << "never from within the call";
    context_.restart();
    while (!result && context_.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    EXPECT_TRUE(result);
    return result.value_or(ProbeResult{ProbeResult::Kind::kImpossible, "no answer at all"});
  }

  boost::asio::io_context context_{1};
  KernelProber prober_{context_.get_executor()};
};

TEST_F(Probing, TcpIsAnsweredByAListenerAndRefusedWithoutOne) {
  tcp::acceptor listener(context_, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const std::uint16_t port = listener.local_endpoint().port();
  EXPECT_EQ(probe("127.0.0.1", port).kind, ProbeResult::Kind::kAnswered);
  EXPECT_EQ(std::system("test -z \"$(ss -Htan state time-wait)\""), 0) << "no TIME_WAIT";
  listener.close();
  const ProbeResult refused = probe("127.0.0.1", port);
  EXPECT_EQ(refused.kind, ProbeResult::Kind::kFailed);
  EXPECT_THAT(refused.problem, HasSubstr("refused"));
  EXPECT_EQ(probe("::1", port).kind, ProbeResult::Kind::kFailed);
}

TEST_F(Probing, TcpGivesUpAfterTheTimeout) {
  // A listener whose queue is full answers nobody.
  tcp::acceptor listener(context_);
  listener.open(tcp::v4());
  listener.bind({boost::asio::ip::make_address("127.0.0.1"), 0});
  listener.listen(0);
  const auto endpoint = listener.local_endpoint();
  tcp::socket first(context_);
  tcp::socket second(context_);
  first.connect(endpoint);
  second.async_connect(endpoint, [](const boost::system::error_code&) {});
  const ProbeResult late = probe("127.0.0.1", endpoint.port(), std::chrono::milliseconds(200));
  EXPECT_EQ(late.kind, ProbeResult::Kind::kFailed);
  EXPECT_EQ(late.problem, "no answer in 200 ms");
}

TEST_F(Probing, IcmpIsAnsweredWithoutPrivilegesAndByARawSocket) {
  set_ping_group_range("0 2147483647");
  EXPECT_EQ(probe("127.0.0.1", 0).kind, ProbeResult::Kind::kAnswered);
  EXPECT_EQ(probe("::1", 0).kind, ProbeResult::Kind::kAnswered);
  KernelProber raw(context_.get_executor());
  set_ping_group_range("1 0");
  for (const char* address : {"127.0.0.1", "::1"}) {
    std::optional<ProbeResult> result;
    raw.probe({*parse_address(address), 0}, std::chrono::milliseconds(5000),
              [&](ProbeResult answer) { result = std::move(answer); });
    context_.restart();
    while (!result && context_.run_one_for(std::chrono::seconds(10)) > 0) {
    }
    ASSERT_TRUE(result) << address;
    EXPECT_EQ(result->kind, ProbeResult::Kind::kAnswered) << address << result->problem;
  }
}

TEST_F(Probing, IcmpWithoutAnAnswerFails) {
  set_ping_group_range("0 2147483647");
  const ProbeResult silent = probe("10.8.8.8", 0, std::chrono::milliseconds(100));
  EXPECT_EQ(silent.kind, ProbeResult::Kind::kFailed) << silent.problem;
}

}  // namespace
}  // namespace fipd::health
