#pragma once

#include <span>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "bgp/route_table.h"
#include "daemon/state/address_set.h"

namespace fipd {

// The routes that fipd last wrote to, or read from, its routing table; as KnownNat. Pure.
class KnownRoutes {
 public:
  // A destination has one route, and two for the moment in which its metric changes.
  struct Entry {
    std::uint32_t metric = 0;
    unsigned interface = 0;
    std::uint32_t realm = 0;
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
  void for_each(F visit) const {
    for (const auto& [destination, entries] : routes_) visit(destination, entries);
  }
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
