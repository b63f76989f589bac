#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/address.h"
#include "daemon/reconcile/recent.h"
#include "daemon/state/address_set.h"
#include "daemon/state/binding.h"
#include "daemon/state/derive.h"

namespace fipd {

struct SteeringRules {
  std::chrono::milliseconds settle{75'000};  // 0: nothing is taken over by preference
  bool withdraw_failing = false;             // else a failing one is drained
};

// What stands above a binding's own preference: drain by an operator, a failing check, and taking
// an address over from another host. Pure, with the clock of the caller; one thread.
class Steering {
 public:
  using Clock = std::chrono::steady_clock;

  void configure(const SteeringRules& rules) { rules_ = rules; }

  // Drain: of the host, which covers whatever is or comes here, or of single addresses.
  // The host's end is that of all.
  void drain_host(bool yes) {
    host_drained_ = yes;
    if (!yes) drained_.clear();
  }
  void drain(const IpAddress& floating) { drained_.insert(floating); }
  void undrain(const IpAddress& floating) { drained_.erase(floating); }
  [[nodiscard]] bool host_drained() const { return host_drained_; }
  [[nodiscard]] const AddressHashSet& drained() const { return drained_; }
  [[nodiscard]] bool is_drained(const IpAddress& floating) const {
    return host_drained_ || drained_.contains(floating);
  }

  // What the address' check has come to.
  void set_failing(const IpAddress& floating, std::string reason);
  void set_passing(const IpAddress& floating);

  // Taking over. An address is new on this host if its binding came after the start, with no other
  // before it. It is young from its first route on, until it is seen to be announced by this host
  // alone, and for 10 s to 20 s at most; while it is, notice of another host's announcement makes
  // this one the preferred for the settling time. So of two hosts the later one is preferred, and
  // where nobody else announces it, nothing is written twice.
  void bound_anew(const IpAddress& floating) { fresh_.insert(floating); }
  // Nobody claims it here any more.
  void gone(const IpAddress& floating);
  // Another host announces it, too. Until when it is preferred, if it is.
  std::optional<Clock::time_point> noticed(const IpAddress& floating, bool shared,
                                           Clock::time_point now);
  // Nobody else does: whoever comes later is the newer one.
  void seen_alone(const IpAddress& floating) { young_.forget(floating); }
  // What was prepared here is served from now on: preferred until then, if it is.
  std::optional<Clock::time_point> activated(const IpAddress& floating, bool shared,
                                             Clock::time_point now);
  // What is prepared here is heard on its tap, before its controller has said that it is served
  // here. Remembered until it is, or is no more.
  void arrived(const IpAddress& floating);
  void forget_arrival(const IpAddress& floating) { arrived_.erase(floating); }
  [[nodiscard]] bool has_arrived(const IpAddress& floating) const {
    return arrived_.contains(floating);
  }
  // An earlier run was taking it over, or had it down because of its check.
  void inherit_settling(const IpAddress& floating, Clock::time_point until);
  void inherit_down(const IpAddress& floating) { inherited_down_.insert(floating); }

  struct Word {
    Steer steer = Steer::kNone;
    std::string reason;
  };
  [[nodiscard]] Word of(const Binding& binding, Clock::time_point now) const;
  // With the claim's role: what is being migrated here is not announced, whatever else is said of
  // it; what has moved away is a last resort at best.
  [[nodiscard]] Word of(const Claim& claim, Clock::time_point now) const;
  // It has a route now.
  void routed(const IpAddress& floating, Clock::time_point now);

 private:
  [[nodiscard]] std::optional<std::string> failure_of(const Binding& binding) const;
  [[nodiscard]] std::chrono::milliseconds youth() const;

  SteeringRules rules_;
  bool host_drained_ = false;
  AddressHashSet drained_;
  boost::unordered_flat_map<IpAddress, std::string, AddressHash> failing_;
  AddressHashSet inherited_down_;
  AddressHashSet fresh_;  // bound anew, and not routed yet
  AddressHashSet arrived_;
  Recent young_;
  // Until when; kept until the address goes.
  boost::unordered_flat_map<IpAddress, Clock::time_point, AddressHash> settling_;
};

}  // namespace fipd
