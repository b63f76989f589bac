#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "bgp/kernel_route_table.h"
#include "daemon/base/netlink_socket.h"
#include "nat/nft_table.h"

namespace fipd::bench {

inline constexpr std::uint32_t kTable = 172;
inline constexpr unsigned kProtocol = 172;

// The i-th floating and fixed IP of a benchmark; up to 1,000,000 of each.
[[nodiscard]] IpAddress floating(unsigned i);
[[nodiscard]] IpAddress fixed(unsigned i);

// Moves this process into a network namespace of its own, unless it is to stay where it is, and
// gives that one running tap-like interface and the ruleset of fipd. Ends the process where that
// fails: a benchmark has nothing else to do.
struct Arena {
  enum class Namespace { kOwn, kPresent };
  explicit Arena(Namespace where = Namespace::kOwn);
  unsigned interface = 0;
  std::unique_ptr<bgp::KernelRouteTable> routes;
  std::unique_ptr<nat::NftTable> nat;
};

// The same writes as fipd's, as bytes made beforehand: what the kernel alone takes for them.
class RawWriter {
 public:
  RawWriter();
  // One nftables batch with both directions of each pair, acknowledged as fipd asks for it.
  void prepare_pairs(unsigned first, unsigned count);
  // Route additions in batches of 256.
  void prepare_routes(unsigned first, unsigned count, unsigned interface);
  // Sends what was prepared, reads the answers, and forgets it. Any refusal ends the process.
  void send();

 private:
  void exchange(NetlinkSocket& socket, std::span<const std::byte> request);

  NetlinkSocket nat_;
  NetlinkSocket routes_;
  std::vector<std::vector<std::byte>> nat_batches_;
  std::vector<std::vector<std::byte>> route_batches_;
};

// q in [0, 1] of the samples.
[[nodiscard]] double quantile(std::vector<double> samples, double q);

[[noreturn]] void give_up(const std::string& why);

}  // namespace fipd::bench
