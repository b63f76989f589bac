#include "daemon/reconcile/known_routes.h"

#include <algorithm>

namespace fipd {

KnownRoutes::KnownRoutes(std::span<const bgp::HostRoute> dump) {
  for (const bgp::HostRoute& route : dump) set(route);
}

const KnownRoutes::Entries* KnownRoutes::find(const IpAddress& destination) const {
  const auto at = routes_.find(destination);
  return at == routes_.end() ? nullptr : &at->second;
}

void KnownRoutes::set(const bgp::HostRoute& route) {
  Entries& entries = routes_[route.destination];
  const auto same = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& each) { return each.metric == route.metric; });
  if (same == entries.end()) {
    entries.push_back({route.metric, route.interface, route.realm});
  } else {
    const unsigned before = same->interface;
    *same = {route.metric, route.interface, route.realm};
    if (before != route.interface) unindex(route.destination, before);
  }
  by_interface_[route.interface].insert(route.destination);
}

void KnownRoutes::remove(const bgp::HostRoute& route) {
  const auto at = routes_.find(route.destination);
  if (at == routes_.end()) return;
  Entries& entries = at->second;
  const auto same = std::find_if(entries.begin(), entries.end(), [&](const Entry& each) {
    return each.metric == route.metric && each.interface == route.interface;
  });
  if (same == entries.end()) return;
  entries.erase(same);
  unindex(route.destination, route.interface);
  if (entries.empty()) routes_.erase(route.destination);
}

const AddressSet* KnownRoutes::by_interface(unsigned interface) const {
  const auto at = by_interface_.find(interface);
  return at == by_interface_.end() ? nullptr : &at->second;
}

// Unless another metric of the destination still goes that way.
void KnownRoutes::unindex(const IpAddress& destination, unsigned interface) {
  const auto* entries = find(destination);
  if (entries != nullptr && std::any_of(entries->begin(), entries->end(), [&](const Entry& each) {
        return each.interface == interface;
      })) {
    return;
  }
  const auto at = by_interface_.find(interface);
  if (at == by_interface_.end()) return;
  at->second.erase(destination);
  if (at->second.empty()) by_interface_.erase(at);
}

}  // namespace fipd
