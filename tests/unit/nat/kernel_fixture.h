#pragma once

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bytes.h"
#include "daemon/base/netlink_socket.h"
#include "nat/attributes.h"
#include "nat/nft_table.h"

namespace fipd::nat {

// Runs a command of the system's own tools in this namespace; what it printed, both streams.
inline std::string shell(const std::string& command, int* status = nullptr) {
  std::string out;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return out;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    out.append(buffer.data(), got);
  }
  const int code = pclose(pipe);
  if (status != nullptr) *status = code;
  return out;
}

// Every test in a fresh network namespace, which dies with the process.
class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root";
    NetlinkOptions events;
    events.groups = {NFNLGRP_NFTABLES};
    auto monitor = NetlinkSocket::open(NETLINK_NETFILTER, events);
    ASSERT_TRUE(monitor);
    monitor_ = std::make_unique<NetlinkSocket>(std::move(*monitor));
  }

  static void by_hand(const std::string& command) {
    int status = 0;
    const std::string said = shell("nft '" + command + "'", &status);
    ASSERT_EQ(status, 0) << command << ": " << said;
  }

  // Transactions since the last call, whoever's.
  unsigned commits() {
    unsigned count = 0;
    auto on_message = [&](const nlmsghdr& header) {
      const auto parsed = netfilter_message(header);
      if (parsed && parsed->type == NFT_MSG_NEWGEN) ++count;
      return true;
    };
    for (;;) {
      const auto more = monitor_->receive(on_message);
      if (!more) ADD_FAILURE() << more.error().message();
      if (!more || !*more) return count;
    }
  }

 private:
  std::unique_ptr<NetlinkSocket> monitor_;
};

// With our table, opened and empty.
class NftTableFixture : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    auto table = NftTable::open("fipd");
    ASSERT_TRUE(table) << table.error().message();
    table_ = std::move(*table);
    options_.internal = {*Prefix::parse("10.65.0.0/16"), *Prefix::parse("fd65::/64")};
  }

  // Everything that the rules can have.
  void ask_for_everything() {
    options_.guarded = {*Prefix::parse("172.16.0.0/16"), *Prefix::parse("2001:db8::/64")};
    options_.accounting = options_.forwards = options_.limits = true;
    options_.metadata.listen = {{ip("127.0.0.1"), 8775}, {ip("::1"), 8775}};
    options_.metadata.interfaces = {"tap*", "eth0"};
  }

  std::string ensure() {
    const auto done = table_->ensure_ruleset(options_);
    return done ? *done : "FAILED: " + done.error().message();
  }

  static ElementChange change(Map map, const std::string& key, const char* before,
                              const char* after) {
    ElementChange out{map, ip(key), std::nullopt, std::nullopt};
    if (before != nullptr) out.before = ip(before);
    if (after != nullptr) out.after = ip(after);
    return out;
  }
  // Both directions of pairs 172.16.0.0+i and 10.65.0.0+i, or of their like in IPv6.
  static std::vector<ElementChange> pairs(std::size_t count, bool v6 = false) {
    std::vector<ElementChange> out;
    out.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
      const IpAddress floating = numbered(v6 ? "2001:db8::" : "172.16.0.0", i);
      const IpAddress fixed = numbered(v6 ? "fd65::" : "10.65.0.0", i);
      out.push_back({Map::kFixedByFloating, floating, std::nullopt, fixed});
      out.push_back({Map::kFloatingByFixed, fixed, std::nullopt, floating});
    }
    return out;
  }
  static IpAddress numbered(const char* base, std::size_t i) {
    AddressBytes bytes = to_bytes(ip(base));
    for (std::size_t at = 0; at < 3; ++at) {
      auto& byte = bytes.data[bytes.size - 1 - at];
      byte = static_cast<std::uint8_t>(byte + (i >> 8 * at & 0xff));
    }
    return from_bytes(bytes.data, bytes.size);
  }

  std::unique_ptr<NftTable> table_;
  RulesetOptions options_;
};

}  // namespace fipd::nat
