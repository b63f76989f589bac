#include "daemon/flush.h"

#include <utility>
#include <vector>

#include "bgp/kernel_route_table.h"
#include "nat/nft_table.h"

namespace fipd {
namespace {

Outcome flush_routes(bgp::RouteTable& table) {
  auto dump = table.dump();
  if (!dump) return fail(std::move(dump).error());
  std::vector<bgp::RouteChange> changes;
  for (const bgp::HostRoute& route : dump->own) {
    changes.push_back({bgp::RouteAction::kRemove, route});
  }
  const auto applied = table.apply(changes);
  if (!applied) return fail(applied.error());
  if (!applied->empty()) return fail(applied->front().error);
  return {};
}

}  // namespace

Outcome flush_kernel(const Config& config) {
  auto routes = bgp::KernelRouteTable::open(config.route.table, config.route.protocol);
  if (!routes) return fail(std::move(routes).error());
  if (auto flushed = flush_routes(**routes); !flushed) return flushed;
  auto nat = nat::NftTable::open(config.nat.table);
  if (!nat) return fail(std::move(nat).error());
  return (*nat)->remove();
}

}  // namespace fipd
