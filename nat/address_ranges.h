#pragma once

#include <span>
#include <string>
#include <vector>

#include "daemon/base/address.h"

namespace fipd::nat {

// Addresses from first to last, both included, of one family: what an interval set holds.
struct AddressRange {
  IpAddress first;
  IpAddress last;

  // "10.65.0.0-10.65.255.255", one address alone without the dash: nft takes both.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

// The prefixes of one family as sorted ranges that neither overlap nor touch.
[[nodiscard]] std::vector<AddressRange> ranges_of(std::span<const Prefix> prefixes, int family);

// One element of an interval set as the kernel tells it: a range starts here, or (`end`) the one
// before stopped just below.
struct IntervalMark {
  IpAddress key;
  bool end = false;
};
// The same form from an interval set's elements, in any order.
[[nodiscard]] std::vector<AddressRange> ranges_of(std::vector<IntervalMark> marks);

}  // namespace fipd::nat
