#pragma once

#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/sources/claim_sink.h"
#include "daemon/state/binding.h"

namespace fipd {

// When a mass removal waits for a person: more than `share` and more than `above` of all.
struct HoldRule {
  double share = 0.5;
  unsigned above = 10;

  [[nodiscard]] bool holds(std::size_t missing, std::size_t of) const {
    return missing > above && static_cast<double>(missing) > share * static_cast<double>(of);
  }
  friend bool operator==(const HoldRule&, const HoldRule&) = default;
};

// What is to be told to the ClaimSink, puts first.
struct ClaimChanges {
  struct Removal {
    IpAddress floating;
    std::string origin;

    friend bool operator==(const Removal&, const Removal&) = default;
  };
  std::vector<Claim> puts;
  std::vector<Removal> removals;

  [[nodiscard]] bool empty() const { return puts.empty() && removals.empty(); }
};

// Tells them as one batch, and gives way to others in between. Once `stopped` is true the sink is
// not touched any more.
boost::asio::awaitable<void> deliver(ClaimChanges changes, ClaimSink& sink,
                                     boost::asio::any_io_executor executor, const bool& stopped);

}  // namespace fipd
