#include "daemon/reconcile/meters.h"

#include <algorithm>
#include <limits>

namespace fipd {
namespace {

// The kernel's bucket of bytes holds one second's worth and this much more (nft_limit.c). It must
// take the largest packet that receive offload hands on.
constexpr std::uint64_t kDefaultBurst = 65536;
constexpr std::uint64_t kMostBurst = std::numeric_limits<std::uint32_t>::max();

std::optional<nat::Rate> bytes(std::uint64_t bits, std::uint64_t burst) {
  if (bits < 8) return std::nullopt;
  return nat::Rate{bits / 8, static_cast<std::uint32_t>(
                                 std::min(burst == 0 ? kDefaultBurst : burst, kMostBurst))};
}

}  // namespace

Meters meters_of(const Limits& limits) {
  Meters meters;
  meters.in = bytes(limits.in_bits, limits.in_burst);
  meters.out = bytes(limits.out_bits, limits.out_burst);
  if (limits.new_connections != 0) {
    // A bucket of connections holds the burst alone: without one, a second's worth.
    const std::uint32_t burst = limits.new_connections_burst;
    meters.new_connections =
        nat::Rate{limits.new_connections, burst == 0 ? limits.new_connections : burst};
  }
  if (limits.connections != 0) meters.connections = nat::Count{limits.connections};
  return meters;
}

}  // namespace fipd
