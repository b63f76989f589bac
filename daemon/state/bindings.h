#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/state/address_set.h"
#include "daemon/state/binding.h"

namespace fipd {

// All claims of all sources, merged: of two claims on one floating IP the lower rank wins, then the
// newest revision; the loser is kept, and wins when the winner goes. The cost of a change does not
// grow with their number. Pure; one thread.
class Bindings {
 public:
  // Adds the claim, or replaces the one that its origin has on the same floating IP.
  void put(Claim claim);
  // Nothing happens where there is none.
  void remove(const IpAddress& floating, std::string_view origin);

  [[nodiscard]] const Claim* winner(const IpAddress& floating) const;
  // The winner first.
  [[nodiscard]] std::span<const Claim> claims(const IpAddress& floating) const;
  // The claim of that origin.
  [[nodiscard]] const Claim* claim(const IpAddress& floating, std::string_view origin) const;

  // Floating IPs whose winner leads to this fixed IP, as a whole or by a forward, or names this
  // interface. Null: none.
  [[nodiscard]] const AddressSet* with_fixed(const IpAddress& fixed) const;
  [[nodiscard]] const AddressSet* with_interface(std::string_view interface) const;
  // Floating IPs whose winner names no interface and leads to a fixed IP in `prefix`: those that a
  // change of a route to `prefix` concerns. Each once.
  [[nodiscard]] std::vector<IpAddress> without_interface_in(const Prefix& prefix) const;

  // Floating IPs that are claimed, and claims that lost.
  [[nodiscard]] std::size_t size() const { return claims_.size(); }
  [[nodiscard]] bool any_v4() const { return v4_ > 0; }
  [[nodiscard]] bool any_v6() const { return v4_ < claims_.size(); }
  [[nodiscard]] std::size_t losers() const { return total_ - claims_.size(); }
  // In no order.
  [[nodiscard]] std::vector<IpAddress> floatings() const;

 private:
  using Claims = std::vector<Claim>;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  void index(const Binding& binding);
  void unindex(const Binding& binding);

  boost::unordered_flat_map<IpAddress, Claims, AddressHash> claims_;
  boost::unordered_flat_map<IpAddress, AddressSet, AddressHash> by_fixed_;
  boost::unordered_flat_map<std::string, AddressSet, TextHash, std::equal_to<>> by_interface_;
  std::set<std::pair<IpAddress, IpAddress>> unnamed_;  // fixed, floating
  std::size_t total_ = 0;
  std::size_t v4_ = 0;  // of claims_
};

}  // namespace fipd
