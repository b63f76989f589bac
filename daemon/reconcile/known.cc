#include "daemon/reconcile/known.h"

#include <algorithm>

namespace fipd {

KnownNat::KnownNat(std::span<const nat::Element> dump) {
  for (const nat::Element& each : dump) {
    if (each.map == nat::Map::kHairpin) {
      set(each.map, each.key.address, IpAddress());
    } else if (const auto* address = std::get_if<IpAddress>(&each.value)) {
      set(each.map, each.key.address, *address);
    }
  }
  // Which floating IPs stand behind the hairpins.
  Elements& hairpins = maps_[static_cast<std::size_t>(nat::Map::kHairpin)];
  if (hairpins.empty()) return;
  for_each(nat::Map::kFixedByFloating, [&](const IpAddress& floating, const IpAddress& fixed) {
    if (const auto at = hairpins.find(fixed); at != hairpins.end()) at->second = floating;
  });
}

std::optional<IpAddress> KnownNat::find(nat::Map map, const IpAddress& key) const {
  const Elements& elements = maps_[static_cast<std::size_t>(map)];
  const auto at = elements.find(key);
  if (at == elements.end()) return std::nullopt;
  return at->second;
}

void KnownNat::set(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value) {
  Elements& elements = maps_[static_cast<std::size_t>(map)];
  if (value) {
    elements[key] = *value;
  } else {
    elements.erase(key);
  }
}

std::size_t KnownNat::size() const {
  std::size_t total = 0;
  for (const Elements& elements : maps_) total += elements.size();
  return total;
}

void KnownNat::reserve(std::size_t pairs) {
  // The third is for the other snat mode, and nearly always empty.
  for (const nat::Map map : {nat::Map::kFixedByFloating, nat::Map::kFloatingByFixed}) {
    maps_[static_cast<std::size_t>(map)].reserve(pairs);
  }
}

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
    entries.push_back({route.metric, route.interface});
  } else if (same->interface != route.interface) {
    const unsigned before = same->interface;
    same->interface = route.interface;
    unindex(route.destination, before);
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
