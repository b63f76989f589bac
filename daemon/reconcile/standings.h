#pragma once

#include <array>
#include <optional>
#include <string>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/observe/report.h"
#include "daemon/state/address_set.h"

namespace fipd {

// How far a floating IP's winning claim is.
struct Standing {
  State state = State::kWaiting;
  std::string reason;

  friend bool operator==(const Standing&, const Standing&) = default;
};

// The standing of every floating IP, counted by state. Pure; one thread.
class Standings {
 public:
  // Whether that is news.
  bool set(const IpAddress& floating, Standing standing) {
    auto [at, fresh] = standings_.try_emplace(floating);
    if (!fresh && at->second == standing) return false;
    if (!fresh) --count(at->second.state);
    ++count(standing.state);
    at->second = std::move(standing);
    return true;
  }

  void reserve(std::size_t floatings) { standings_.reserve(floatings); }

  void erase(const IpAddress& floating) {
    const auto at = standings_.find(floating);
    if (at == standings_.end()) return;
    --count(at->second.state);
    standings_.erase(at);
  }

  [[nodiscard]] const Standing* find(const IpAddress& floating) const {
    const auto at = standings_.find(floating);
    return at == standings_.end() ? nullptr : &at->second;
  }

  [[nodiscard]] const std::array<std::size_t, kStates>& counts() const { return counts_; }

  template <typename F>
  void for_each(F visit) const {
    for (const auto& [floating, standing] : standings_) visit(floating, standing);
  }

 private:
  std::size_t& count(State state) { return counts_[static_cast<std::size_t>(state)]; }

  boost::unordered_flat_map<IpAddress, Standing, AddressHash> standings_;
  std::array<std::size_t, kStates> counts_{};
};

}  // namespace fipd
