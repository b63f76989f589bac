#pragma once

#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "bgp/route_table.h"
#include "daemon/state/address_set.h"
#include "nat/nat_table.h"

namespace fipd {

// What fipd last wrote to, or read from, the kernel. The planner writes here what it plans, so that
// one address may change twice in a plan; where the kernel then refuses, it is read again. Pure.
class KnownNat {
 public:
  KnownNat() = default;
  explicit KnownNat(std::span<const nat::Element> dump);

  // Of kHairpin, which has no values in the kernel: a floating IP that the key is behind, or the
  // unspecified address where the element was read without one.
  [[nodiscard]] std::optional<IpAddress> find(nat::Map map, const IpAddress& key) const;
  void set(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value);
  [[nodiscard]] std::size_t size() const;
  // Room for so many pairs: growing a large table step by step would hold the event loop.
  void reserve(std::size_t pairs);

  template <typename F>
  void for_each(nat::Map map, F visit) const {
    for (const auto& [key, value] : maps_[static_cast<std::size_t>(map)]) visit(key, value);
  }

 private:
  using Elements = boost::unordered_flat_map<IpAddress, IpAddress, AddressHash>;
  std::array<Elements, 3> maps_;
};

class KnownRoutes {
 public:
  // A destination has one route, and two for the moment in which its metric changes.
  struct Entry {
    std::uint32_t metric = 0;
    unsigned interface = 0;
  };
  using Entries = boost::container::small_vector<Entry, 2>;

  KnownRoutes() = default;
  explicit KnownRoutes(std::span<const bgp::HostRoute> dump);

  // Null: none.
  [[nodiscard]] const Entries* find(const IpAddress& destination) const;
  void set(const bgp::HostRoute& route);
  void remove(const bgp::HostRoute& route);
  // Destinations with a route by that interface. Null: none.
  [[nodiscard]] const AddressSet* by_interface(unsigned interface) const;
  [[nodiscard]] std::size_t size() const { return routes_.size(); }
  void reserve(std::size_t destinations) { routes_.reserve(destinations); }

  template <typename F>
  void for_each_destination(F visit) const {
    for (const auto& [destination, entries] : routes_) visit(destination);
  }

 private:
  void unindex(const IpAddress& destination, unsigned interface);

  boost::unordered_flat_map<IpAddress, Entries, AddressHash> routes_;
  boost::unordered_flat_map<unsigned, AddressSet> by_interface_;
};

}  // namespace fipd
