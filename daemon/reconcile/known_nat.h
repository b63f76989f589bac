#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/state/address_set.h"
#include "daemon/state/binding.h"
#include "nat/nat_table.h"

namespace fipd {

// One port of a floating IP that is forwarded: one element of kForwards.
struct PortForward {
  std::uint8_t protocol = 0;  // IANA's number
  std::uint16_t port = 0;
  nat::Endpoint to;

  friend bool operator==(const PortForward&, const PortForward&) = default;
};
using PortForwards = std::vector<PortForward>;  // by protocol and port, each once
[[nodiscard]] bool comes_before(const PortForward& a, const PortForward& b);

// The elements that limit one floating IP.
struct Meters {
  std::optional<nat::Rate> in, out, new_connections;
  std::optional<nat::Count> connections;

  friend bool operator==(const Meters&, const Meters&) = default;
};

// What is counted of one floating IP.
struct Account {
  std::optional<nat::Counter> received, sent;  // as written or read last; none: no such element
  // From the elements that were there until somebody took them: where they go on counting.
  nat::Counter lost_received, lost_sent;
  unsigned reading = 0;  // number of the last reading before it began to count
};

// The elements that fipd last wrote to, or read from, the kernel. The planner writes here what it
// plans, so that one address may change twice in a plan; where the kernel then refuses, it is read
// again. What only few floating IPs have costs the others an empty table. Pure.
class KnownNat {
 public:
  using Addresses = boost::unordered_flat_map<IpAddress, IpAddress, AddressHash>;
  // Sorted by address; what somebody has read of the counters since the dump.
  using Reading = std::shared_ptr<const std::vector<nat::Traffic>>;

  KnownNat() = default;
  explicit KnownNat(std::span<const nat::Element> dump);

  // The maps and sets with one address for an element. Of kHairpin, which has no values in the
  // kernel: a floating IP that the key is behind, or the unspecified address.
  [[nodiscard]] std::optional<IpAddress> find(nat::Map map, const IpAddress& key) const;
  void set(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value);
  template <typename F>
  void for_each(nat::Map map, F visit) const {
    for (const auto& [key, value] : addresses(map)) visit(key, value);
  }

  [[nodiscard]] const PortForwards& forwards(const IpAddress& floating) const;
  void set_forwards(const IpAddress& floating, PortForwards forwards);
  // Whether any floating IP forwards to it.
  [[nodiscard]] bool is_forwarded_to(const IpAddress& fixed) const {
    return !forwarded_to_.empty() && forwarded_to_.contains(fixed);
  }

  [[nodiscard]] Meters meters(const IpAddress& floating) const;
  void set_meters(const IpAddress& floating, const Meters& meters);

  // Null: nothing is, and nothing was, counted.
  [[nodiscard]] const Account* account(const IpAddress& floating) const;
  void set_account(const IpAddress& floating, const Account& account) {
    accounts_[floating] = account;
  }
  void close_account(const IpAddress& floating) { accounts_.erase(floating); }
  // After a read of the kernel: the counters that are there no more go on from what `before` knew,
  // or from `last`, the reading of that number.
  void inherit_accounts(const KnownNat& before, const Reading& last, unsigned number);

  [[nodiscard]] bool translates(const IpAddress& floating) const {
    return fixed_by_floating_.contains(floating) || !forwards(floating).empty();
  }
  // What the floating IP leads to, in the fewest forwards.
  [[nodiscard]] std::vector<Forward> forwards_in_ranges(const IpAddress& floating) const;
  // Every floating IP that has any element.
  template <typename F>
  void for_each_floating(F visit) const {
    for (const auto& [floating, fixed] : fixed_by_floating_) visit(floating);
    for (const auto& [floating, forwards] : forwards_) visit(floating);
    for (const auto& [floating, meters] : meters_) visit(floating);
    for (const auto& [floating, account] : accounts_) visit(floating);
  }

  // Room for so many pairs: growing a large table step by step would hold the event loop.
  void reserve(std::size_t pairs);

  // Takes over, from another, what it knows of one floating IP, or of a fixed IP's outbound
  // direction: to plan a few addresses apart.
  void copy_floating(const KnownNat& other, const IpAddress& floating);
  void copy_fixed(const KnownNat& other, const IpAddress& fixed);

 private:
  [[nodiscard]] const Addresses& addresses(nat::Map map) const;
  [[nodiscard]] Addresses& addresses(nat::Map map) {
    return const_cast<Addresses&>(std::as_const(*this).addresses(map));
  }
  void read(const nat::Element& element);

  Addresses fixed_by_floating_;
  Addresses floating_by_fixed_;
  Addresses hairpins_;
  boost::unordered_flat_map<IpAddress, PortForwards, AddressHash> forwards_;
  boost::unordered_flat_map<IpAddress, std::size_t, AddressHash> forwarded_to_;  // ports
  boost::unordered_flat_map<IpAddress, Meters, AddressHash> meters_;
  boost::unordered_flat_map<IpAddress, Account, AddressHash> accounts_;
};

}  // namespace fipd
