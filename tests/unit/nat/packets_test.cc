#include "packet_fixture.h"

namespace fipd::nat {
namespace {

// What the rules do to packets, in this one host; the whole of it is tests/integration's.
class PacketsTest : public PacketFixture {
 protected:
  struct Family {
    IpAddress floating;
    IpAddress fixed;
    IpAddress client;
  };
  static const std::vector<Family>& families() {
    static const std::vector<Family> all{{ip("172.16.1.3"), ip("10.65.0.13"), ip("192.0.2.9")},
                                         {ip("2001:db8::3"), ip("fd65::13"), ip("2001:db8:9::9")}};
    return all;
  }
  void write(const std::vector<ElementChange>& changes) {
    const std::string said = ensure();
    ASSERT_EQ(said.find("FAILED"), std::string::npos) << said;
    const auto committed = table_->commit(changes);
    ASSERT_TRUE(committed) << committed.error().error.message();
  }
  static std::vector<ElementChange> pair_of(const Family& family) {
    return {{Map::kFixedByFloating, family.floating, {}, family.fixed},
            {Map::kFloatingByFixed, family.fixed, {}, family.floating}};
  }
};

TEST_F(PacketsTest, AForwardTranslatesItsPortAndItsRepliesAndNothingElse) {
  options_.forwards = true;
  for (const Family& family : families()) {
    write({{Map::kForwards, {family.floating, 17, 53}, {}, Endpoint{family.fixed, 5353}}});
    const Socket server = udp_in(instance_, {family.fixed, 5353});
    const Socket client = udp_in(client_, {family.client, 4000});
    client.send_to({family.floating, 53});
    const auto seen = server.receive();
    ASSERT_TRUE(seen);
    EXPECT_EQ(*seen, (Endpoint{family.client, 4000}));
    server.send_to(*seen);
    EXPECT_EQ(client.receive(), (Endpoint{family.floating, 53}));
    client.send_to({family.floating, 54});
    EXPECT_FALSE(server.receive(200));
    // What the instance begins leaves under its fixed IP.
    server.send_to({family.client, 4000});
    EXPECT_TRUE(client.receive());
    const Socket fresh = udp_in(instance_, {family.fixed, 6000});
    fresh.send_to({family.client, 4000});
    EXPECT_EQ(client.receive(), (Endpoint{family.fixed, 6000}));
  }
}

TEST_F(PacketsTest, AnInstanceReachesItselfByAForwardAndByAPairInBothModes) {
  for (const SnatMode mode : {SnatMode::kEgress, SnatMode::kHairpin}) {
    ASSERT_TRUE(table_->remove());
    options_.snat = mode;
    options_.forwards = true;
    for (const Family& family : families()) {
      write({{Map::kForwards, {family.floating, 17, 53}, {}, Endpoint{family.fixed, 5353}},
             {Map::kHairpin, family.fixed, {}, Value()}});
      const Socket server = udp_in(instance_, {family.fixed, 5353});
      const Socket self = udp_in(instance_, {family.fixed, 4000});
      self.send_to({family.floating, 53});
      const auto seen = server.receive();
      ASSERT_TRUE(seen);
      EXPECT_EQ(seen->address, family.floating);
      server.send_to(*seen);
      EXPECT_EQ(self.receive(), (Endpoint{family.floating, 53}));
    }
  }
  // A pair, in hairpin mode: outward it keeps its fixed IP.
  const Family& family = families()[0];
  write({{Map::kFixedByFloating, family.floating, {}, family.fixed}});
  const Socket server = udp_in(instance_, {family.fixed, 7000});
  const Socket self = udp_in(instance_, {family.fixed, 7001});
  const Socket client = udp_in(client_, {family.client, 7002});
  self.send_to({family.floating, 7000});
  const auto seen = server.receive();
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->address, family.floating);
  self.send_to({family.client, 7002});
  EXPECT_EQ(client.receive(), (Endpoint{family.fixed, 7001}));
}

TEST_F(PacketsTest, CountsBothDirectionsOfWhatEitherSideBegan) {
  options_.accounting = true;
  for (const Family& family : families()) {
    auto changes = pair_of(family);
    changes.push_back({Map::kReceived, family.floating, {}, Counter{1000, 0}});
    changes.push_back({Map::kSent, family.floating, {}, Counter{2000, 0}});
    write(changes);
    const Socket server = udp_in(instance_, {family.fixed, 53});
    const Socket client = udp_in(client_, {family.client, 4000});
    for (int i = 0; i < 3; ++i) {
      client.send_to({family.floating, 53}, 72);
      ASSERT_TRUE(server.receive());
    }
    server.send_to({family.client, 4000}, 72);
    ASSERT_TRUE(client.receive());
    const Socket own = udp_in(instance_, {family.fixed, 5000});
    for (int i = 0; i < 2; ++i) {
      own.send_to({family.client, 4000}, 72);
      ASSERT_EQ(client.receive(), (Endpoint{family.floating, 5000}));
    }
    client.send_to({family.floating, 5000}, 72);
    ASSERT_TRUE(own.receive());
    // From the host itself, by output and input instead.
    const Socket host = udp(family.client);
    host.send_to({family.floating, 53}, 72);
    const auto seen = server.receive();
    ASSERT_TRUE(seen);
    server.send_to(*seen, 72);
    ASSERT_TRUE(host.receive());
    const std::uint64_t packet = 72 + 8 + (family.floating.is_v4() ? 20 : 40);
    std::optional<Traffic> found;
    const std::vector<Traffic> all = *table_->counters();
    for (const Traffic& each : all) {
      if (each.address == family.floating) found = each;
    }
    ASSERT_TRUE(found);
    EXPECT_EQ(found->received, (Counter{1005, 5 * packet}));
    EXPECT_EQ(found->sent, (Counter{2004, 4 * packet}));
  }
}

TEST_F(PacketsTest, LimitsNewConnectionsASecondAndAtATimeAndLeavesOthersAlone) {
  options_.limits = true;
  const Family& family = families()[0];
  const IpAddress other = ip("172.16.1.4");
  auto changes = pair_of(family);
  changes.push_back({Map::kFixedByFloating, other, {}, family.fixed});
  changes.push_back({Map::kConnections, family.floating, {}, Count{4}});
  write(changes);
  const Socket server = udp_in(instance_, {family.fixed, 53});
  const auto flows = [&](const IpAddress& to, std::uint16_t first, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      udp_in(client_, {family.client, static_cast<std::uint16_t>(first + i)}).send_to({to, 53});
    }
    return server.drain();
  };
  EXPECT_EQ(flows(family.floating, 10000, 30), 4u);
  EXPECT_EQ(flows(other, 11000, 30), 30u);
  // Another limit, live.
  ASSERT_TRUE(table_->commit(
      std::vector<ElementChange>{{Map::kConnections, family.floating, Count{4}, std::nullopt},
                                 {Map::kNewConnections, family.floating, {}, Rate{1, 3}}}));
  const unsigned passed = flows(family.floating, 12000, 30);
  EXPECT_GE(passed, 3u);
  EXPECT_LE(passed, 10u) << "a burst of three, and one a second";
  EXPECT_EQ(flows(family.floating, 10000, 4), 4u)
      << "nobody has answered them, and yet they are not new";
}

TEST_F(PacketsTest, LimitsBandwidthOfEachDirectionApart) {
  options_.limits = true;
  const Family& family = families()[0];
  auto changes = pair_of(family);
  changes.push_back({Map::kRateIn, family.floating, {}, Rate{1000, 5000}});
  write(changes);
  const Socket server = udp_in(instance_, {family.fixed, 53});
  const Socket client = udp_in(client_, {family.client, 4000});
  const auto sent = [](const Socket& from, const Socket& to, const Endpoint& at) {
    for (int i = 0; i < 50; ++i) from.send_to(at, 972);
    return to.drain();
  };
  const unsigned in = sent(client, server, {family.floating, 53});
  EXPECT_GE(in, 4u);
  EXPECT_LE(in, 15u);
  EXPECT_EQ(sent(server, client, {family.client, 4000}), 50u);
  ASSERT_TRUE(table_->commit(std::vector<ElementChange>{
      {Map::kRateIn, family.floating, Rate{1000, 5000}, Rate{100000000, 1000000}},
      {Map::kRateOut, family.floating, {}, Rate{1000, 5000}}}));
  EXPECT_EQ(sent(client, server, {family.floating, 53}), 50u);
  EXPECT_LE(sent(server, client, {family.client, 4000}), 15u);
}

TEST_F(PacketsTest, WhatNobodyHereHasIsNotSentBackAndIsCounted) {
  options_.guarded = {*Prefix::parse("172.16.0.0/16"), *Prefix::parse("2001:db8::/64")};
  for (const Family& family : families()) {
    SCOPED_TRACE(family.floating.to_string());
    write(pair_of(family));
    const IpAddress absent = ip(family.floating.is_v4() ? "172.16.9.9" : "2001:db8::99");
    // The client has that address itself, so that what comes back is seen.
    run_in(client_,
           fmt::format("ip address add {}/{} dev lo nodad", absent, host_prefix_length(absent)));
    run_in(client_, "ip link set lo up");
    const Counter before = *table_->untranslated();
    const Socket back = udp_in(client_, {absent, 53});
    // From the instance's side it is not where it came from: the instance may call it.
    const Socket instance = udp_in(instance_, {family.fixed, 5000});
    instance.send_to({absent, 53});
    EXPECT_TRUE(back.receive());
    EXPECT_EQ(*table_->untranslated(), before);
    // The client sends to it by the host: its own copy is taken out of the way first.
    run_in(client_, fmt::format("ip address del {}/{} dev lo", absent, host_prefix_length(absent)));
    run_in(client_, fmt::format("ip route add {} via {}", absent,
                                family.floating.is_v4() ? "192.0.2.1" : "2001:db8:9::1"));
    udp_in(client_, {family.client, 4000}).send_to({absent, 53});
    for (int i = 0; i < 100 && *table_->untranslated() == before; ++i) usleep(20000);
    EXPECT_EQ(table_->untranslated()->packets, before.packets + 1);
    // What is translated goes through.
    const Socket server = udp_in(instance_, {family.fixed, 53});
    udp_in(client_, {family.client, 4001}).send_to({family.floating, 53});
    EXPECT_TRUE(server.receive());
  }
}

TEST_F(PacketsTest, MetadataReachesTheListenerUnderTheFixedIPAndLoopbackNothingElse) {
  const Family& family = families()[0];
  options_.metadata.listen = {{ip("127.0.0.1"), 8775}};
  options_.metadata.interfaces = {"tap*"};
  write(pair_of(family));
  run("sysctl -qw net.ipv4.conf.tap1.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1");
  const Socket listener(AF_INET, SOCK_STREAM);
  ASSERT_TRUE(listener.bind_to({ip("127.0.0.1"), 8775}));
  ASSERT_EQ(listen(listener.fd(), 5), 0);
  const std::string called = shell(
      "ip netns exec " + instance_ +
      " /usr/bin/python3 -c \"import socket; s = socket.create_connection(('169.254.169.254', 80), "
      "5); print(s.getpeername())\"");
  EXPECT_EQ(called, "('169.254.169.254', 80)\n");
  sockaddr_in from{};
  socklen_t length = sizeof from;
  pollfd ready{listener.fd(), POLLIN, 0};
  ASSERT_EQ(poll(&ready, 1, 2000), 1);
  const int accepted = accept(listener.fd(), reinterpret_cast<sockaddr*>(&from), &length);
  EXPECT_EQ(from_bytes(&from.sin_addr, 4), family.fixed);
  close(accepted);

  // An instance without a loopback of its own sends to the host's.
  run_in(instance_, "ip route add 127.0.0.1 via 10.65.0.1");
  const Socket secret = udp(ip("127.0.0.1"));
  ASSERT_TRUE(secret.bind_to({ip("127.0.0.1"), 9999}));
  const Socket intruder = udp_in(instance_, {family.fixed, 4000});
  intruder.send_to({ip("127.0.0.1"), 9999});
  EXPECT_FALSE(secret.receive(300));
  by_hand("flush chain inet fipd loopback");
  intruder.send_to({ip("127.0.0.1"), 9999});
  EXPECT_TRUE(secret.receive()) << "without the chain it arrives: the test can fail";
}

}  // namespace
}  // namespace fipd::nat
