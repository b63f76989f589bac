#pragma once

#include <chrono>
#include <utility>

#include "daemon/base/address.h"
#include "daemon/state/address_set.h"

namespace fipd {

// Addresses noted within the last `span`, and at most twice that: two generations instead of a
// timer for each, because a hundred thousand may be noted at once. Pure; one thread.
class Recent {
 public:
  using Clock = std::chrono::steady_clock;

  void note(const IpAddress& address, Clock::time_point now, Clock::duration span) {
    age(now, span);
    now_.insert(address);
  }
  void forget(const IpAddress& address) {
    now_.erase(address);
    before_.erase(address);
  }
  [[nodiscard]] bool has(const IpAddress& address, Clock::time_point now, Clock::duration span) {
    age(now, span);
    return now_.contains(address) || before_.contains(address);
  }

 private:
  void age(Clock::time_point now, Clock::duration span) {
    if (now < turned_ + span) return;
    before_ = now < turned_ + 2 * span ? std::exchange(now_, {}) : AddressHashSet();
    if (!now_.empty()) now_ = {};
    // By whole spans: a turn that is made late must not make the next one late, too.
    const Clock::duration late = span.count() > 0 ? (now - turned_) % span : Clock::duration(0);
    turned_ = now - late;
  }

  AddressHashSet now_;
  AddressHashSet before_;
  Clock::time_point turned_;
};

}  // namespace fipd
