#include "bgp/network_monitor.h"

#include <chrono>
#include <functional>

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>

#include "bgp/kernel_route_table.h"
#include "kernel_fixture.h"

namespace fipd::bgp {
namespace {

using testing::IsEmpty;

// Writes down what it hears, a word each.
class Listener : public NetworkObserver {
 public:
  void link_changed(const Link& link) override {
    heard.push_back(fmt::format("link {} {}", link.name, link.up ? "up" : "down"));
    if (on_link) on_link();
  }
  void link_removed(unsigned index) override {
    heard.push_back(fmt::format("link {} removed", index));
  }
  void address_added(const LocalAddress& address) override {
    heard.push_back(fmt::format("address {} added", address.address));
  }
  void address_removed(const LocalAddress& address) override {
    heard.push_back(fmt::format("address {} removed", address.address));
  }
  void route_changed(const RouteEvent& event) override {
    heard.push_back(fmt::format("route {} table {} proto {} metric {}{}", event.destination,
                                event.table, event.protocol, event.metric,
                                event.removed ? " removed" : ""));
    ports.push_back(event.port);
  }
  void forwarding_changed(const Forwarding& setting) override {
    heard.push_back(fmt::format("forwarding {} {} {}", setting.v4 ? "ipv4" : "ipv6",
                                setting.interface.value_or(0), setting.on ? "on" : "off"));
  }
  void network_overrun() override {
    heard.push_back("overrun");
    ++overruns;
  }

  [[nodiscard]] bool has(std::string_view word) const {
    return std::find(heard.begin(), heard.end(), word) != heard.end();
  }

  std::vector<std::string> heard;
  std::vector<std::uint32_t> ports;
  std::function<void()> on_link;
  int overruns = 0;
};

class NetworkMonitorTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    // Quiet: no addresses by autoconfiguration while we listen.
    for (const char* tap : {"t1", "t1p", "t2", "t2p"}) {
      run(fmt::format("ip link set {} addrgenmode none", tap));
    }
    table_ = KernelRouteTable::open(kTable, kProtocol).value();
    run("ip route add 198.51.100.1 dev t1 table 172 proto 172 metric 1024");
    listen(32 << 20);
  }

  void listen(int receive_buffer) {
    const std::uint32_t own[] = {table_->port()};
    auto monitor = NetworkMonitor::open(loop_.get_executor(), own, listener_, receive_buffer);
    ASSERT_TRUE(monitor) << monitor.error().message();
    monitor_ = std::move(*monitor);
    monitor_->start();
  }

  // Runs until `done`, two seconds at most.
  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    loop_.restart();
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return done();
  }
  bool hears(const std::string& word) {
    const bool heard = until([&] { return listener_.has(word); });
    if (!heard) ADD_FAILURE() << testing::PrintToString(listener_.heard);
    return heard;
  }

  // Everything so far has been handed over once the echo of this is there.
  void flush() {
    static int number = 0;
    const std::string name = fmt::format("m{}", ++number);
    run(fmt::format("ip link add {} type veth peer name {}p", name, name));
    ASSERT_TRUE(hears(fmt::format("link {} down", name)));
  }

  boost::asio::io_context loop_;
  Listener listener_;
  std::unique_ptr<KernelRouteTable> table_;
  std::unique_ptr<NetworkMonitor> monitor_;
};

TEST_F(NetworkMonitorTest, HearsAHandButNotUs) {
  const std::vector<RouteChange> changes{
      {RouteAction::kAdd, {address("203.0.113.7"), 1024, t1_}},
      {RouteAction::kAdd, {address("2001:db8::7"), 1024, t1_}},
      {RouteAction::kReplace, {address("203.0.113.7"), 1024, t2_}},
      {RouteAction::kRemove, {address("2001:db8::7"), 1024, t1_}}};
  ASSERT_THAT(table_->apply(changes).value(), IsEmpty());
  run("ip route del 203.0.113.7 dev t2 table 172 metric 1024");
  run("ip -6 route add 2001:db8::8 dev t1 table 200 proto 99 metric 5");
  ASSERT_TRUE(hears("route 2001:db8::8/128 table 200 proto 99 metric 5"));
  EXPECT_THAT(listener_.heard,
              testing::ElementsAre("route 203.0.113.7/32 table 172 proto 172 metric 1024 removed",
                                   "route 2001:db8::8/128 table 200 proto 99 metric 5"));
  for (const std::uint32_t port : listener_.ports) EXPECT_NE(port, table_->port());
}

TEST_F(NetworkMonitorTest, HearsTheLinkGoDownWhenIpv4RoutesVanishSilently) {
  run("ip link set t1 down");
  ASSERT_TRUE(hears("link t1 down"));
  flush();
  EXPECT_THAT(table_->dump().value().own, IsEmpty());
  EXPECT_FALSE(listener_.has("route 198.51.100.1/32 table 172 proto 172 metric 1024 removed"));
  run("ip link set t1 up");
  EXPECT_TRUE(hears("link t1 up"));
}

TEST_F(NetworkMonitorTest, HearsRenameAndDeletion) {
  run("ip link set t1 name t9");
  EXPECT_TRUE(hears("link t9 up"));
  run("ip link del t9");
  EXPECT_TRUE(hears(fmt::format("link {} removed", t1_)));
}

TEST_F(NetworkMonitorTest, HearsAddressesComeAndGo) {
  run("ip addr add 192.0.2.1/24 dev t1");
  EXPECT_TRUE(hears("address 192.0.2.1 added"));
  run("ip addr del 192.0.2.1/24 dev t1");
  EXPECT_TRUE(hears("address 192.0.2.1 removed"));
  run("ip addr add 2001:db8:1::1/64 dev t1 nodad");
  EXPECT_TRUE(hears("address 2001:db8:1::1 added"));
}

TEST_F(NetworkMonitorTest, HearsOfForwarding) {
  run("sysctl -qw net.ipv4.ip_forward=1");
  EXPECT_TRUE(hears("forwarding ipv4 0 on"));
  EXPECT_TRUE(hears(fmt::format("forwarding ipv4 {} on", t1_)));
  run("sysctl -qw net.ipv6.conf.all.forwarding=1");
  EXPECT_TRUE(hears("forwarding ipv6 0 on"));
  run("ip link add m0 type veth peer name m0p");
  EXPECT_TRUE(hears(fmt::format("forwarding ipv4 {} on", if_nametoindex("m0"))));
}

TEST_F(NetworkMonitorTest, SkipsWhatTheKernelKeepsForItself) {
  run("ip addr add 192.0.2.1/24 dev t1");
  flush();
  for (const std::string& word : listener_.heard) {
    EXPECT_EQ(word.find("table 255"), std::string::npos) << word;
  }
  EXPECT_TRUE(listener_.has("route 192.0.2.0/24 table 254 proto 2 metric 0"));
}

TEST_F(NetworkMonitorTest, HearsWhatHappenedBeforeItStarted) {
  const std::uint32_t own[] = {table_->port()};
  monitor_ = NetworkMonitor::open(loop_.get_executor(), own, listener_).value();
  run("ip link set t2 down");
  monitor_->start();
  EXPECT_TRUE(hears("link t2 down"));
}

TEST_F(NetworkMonitorTest, ReportsAnOverrunOnceAndGoesOn) {
  listen(4096);
  const auto other = KernelRouteTable::open(kTable, 99).value();
  std::vector<RouteChange> changes;
  for (unsigned i = 0; i < 1000; ++i) {
    const IpAddress host = boost::asio::ip::address_v4(0x0a000000U + i);
    changes.push_back({RouteAction::kAdd, {host, 1024, t1_}});
  }
  ASSERT_THAT(other->apply(changes).value(), IsEmpty());
  ASSERT_TRUE(hears("overrun"));
  // Nothing that was queued before the loss comes after it.
  EXPECT_EQ(listener_.heard.back(), "overrun");
  flush();
  EXPECT_EQ(listener_.overruns, 1);
}

TEST_F(NetworkMonitorTest, LeavesTurnsToOthers) {
  const auto other = KernelRouteTable::open(kTable, 99).value();
  std::vector<RouteChange> changes;
  for (unsigned i = 0; i < 1000; ++i) {
    const IpAddress host = boost::asio::ip::address_v4(0x0a000000U + i);
    changes.push_back({RouteAction::kAdd, {host, 1024, t1_}});
  }
  ASSERT_THAT(other->apply(changes).value(), IsEmpty());
  loop_.restart();
  std::size_t turns = 0;
  std::size_t largest = 0;
  while (listener_.heard.size() < 1000 && turns < 100) {
    const std::size_t before = listener_.heard.size();
    if (loop_.run_one_for(std::chrono::seconds(1)) == 0) break;
    largest = std::max(largest, listener_.heard.size() - before);
    ++turns;
  }
  EXPECT_EQ(listener_.heard.size(), 1000U);
  EXPECT_EQ(largest, 64U);
}

TEST_F(NetworkMonitorTest, MayBeDestroyedFromWithinACall) {
  listener_.on_link = [&] { monitor_.reset(); };
  run("ip link set t1 down && ip link set t2 down");
  ASSERT_TRUE(until([&] { return monitor_ == nullptr; }));
  const std::size_t heard = listener_.heard.size();
  loop_.restart();
  loop_.run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(listener_.heard.size(), heard);
}

TEST_F(NetworkMonitorTest, IsSilentOnceDestroyedWithWorkPending) {
  run("ip link set t1 down");
  monitor_.reset();
  loop_.restart();
  loop_.run_for(std::chrono::milliseconds(50));
  EXPECT_THAT(listener_.heard, IsEmpty());
}

}  // namespace
}  // namespace fipd::bgp
