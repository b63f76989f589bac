#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/address.h"
#include "daemon/state/address_set.h"

namespace fipd::health {

// Whom a check asks: TCP connect, or ICMP echo where `port` is 0.
struct CheckTarget {
  IpAddress address;
  std::uint16_t port = 0;

  friend bool operator==(const CheckTarget&, const CheckTarget&) = default;
};
// "tcp/443 to 10.65.0.13"
[[nodiscard]] std::string to_string(const CheckTarget& target);

struct CheckRules {
  std::chrono::milliseconds interval{2000};
  std::chrono::milliseconds timeout{1000};
  unsigned rise = 2;    // so many in a row in order: passing
  unsigned fall = 3;    // so many in a row failed: failing
  double jitter = 0.2;  // of the interval, either way
  // With more than this share, and more than so many, failing at once the check is suspected, not
  // the instances.
  double brake_share = 0.5;
  unsigned brake_above = 2;

  friend bool operator==(const CheckRules&, const CheckRules&) = default;
};

// How one probe went.
struct ProbeResult {
  enum class Kind : std::uint8_t {
    kAnswered,
    kFailed,
    kImpossible,  // this host could not even ask: says nothing of the instance
  };
  Kind kind = Kind::kAnswered;
  std::string problem;  // in a sentence, where not answered
};

// What a check has come to. Told once, and again whenever it changes.
struct CheckChange {
  IpAddress floating;
  bool failing = false;
  std::string reason;  // of failing

  friend bool operator==(const CheckChange&, const CheckChange&) = default;
};

// Which checks there are, when each is due, and what their results come to; with the brake: while
// too many fail at once, no further one is told as failing, and then only by a probe sent after the
// brake. Pure, with the clock and the dice of the caller; one thread. The cost of a step does not
// grow with the number of checks, but for the logarithm of the order of times.
class CheckBook {
 public:
  using Clock = std::chrono::steady_clock;
  using Dice = std::function<double()>;  // 0 to 1

  CheckBook(CheckRules rules, Dice dice) : rules_(rules), dice_(std::move(dice)) {}

  // Whose turn would come later than a new, shorter interval has it comes within that.
  void set_rules(const CheckRules& rules, Clock::time_point now);
  [[nodiscard]] const CheckRules& rules() const { return rules_; }

  // True where that is new: another target begins anew.
  bool want(const IpAddress& floating, const CheckTarget& target, Clock::time_point now);
  void forget(const IpAddress& floating);

  [[nodiscard]] std::optional<Clock::time_point> next_due() const;
  struct Probe {
    IpAddress floating;
    CheckTarget target;
    std::uint64_t ticket = 0;
  };
  // The first that is due, if any: it is under way until finish().
  [[nodiscard]] std::optional<Probe> start(Clock::time_point now);
  // A ticket of a check that was forgotten meanwhile is ignored.
  void finish(const Probe& probe, const ProbeResult& result, Clock::time_point now);

  // What is to be told since the last call.
  [[nodiscard]] std::vector<CheckChange> take_changes() { return std::exchange(changes_, {}); }

  [[nodiscard]] std::size_t size() const { return checks_.size(); }
  // Those with a result so far: of these the brake takes its share.
  [[nodiscard]] std::size_t known() const { return known_; }
  [[nodiscard]] std::size_t failing() const { return failing_; }
  // Failing, and not told: the brake was on.
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] bool braking() const { return braking_; }
  // Whose last probe failed.
  [[nodiscard]] std::size_t suspects() const { return suspects_; }
  // Why the last probe that could not be sent could not; empty where the last one could.
  [[nodiscard]] const std::string& impossible() const { return impossible_; }

 private:
  enum class Health : std::uint8_t { kUnknown, kPassing, kFailing };
  struct Check {
    CheckTarget target;
    Clock::time_point due;  // when it was asked, while under way
    std::uint64_t ticket = 0;
    unsigned streak = 0;  // results in a row as the last one
    bool asked = false;   // a result has been seen
    bool answered = true;
    bool under_way = false;
    bool braked = false;  // the last probe was sent, or ended, under the brake
    Health health = Health::kUnknown;
    std::string problem;
  };

  void schedule(const IpAddress& floating, Check& check, Clock::time_point due);
  void note(const IpAddress& floating, Check& check, const ProbeResult& result);
  void forget_counts(const IpAddress& floating, const Check& check);
  void set_failing(const IpAddress& floating, Check& check);
  void set_passing(const IpAddress& floating, Check& check);
  void look_at_brake();
  [[nodiscard]] CheckChange failure_of(const IpAddress& floating, const Check& check) const;

  CheckRules rules_;
  Dice dice_;
  boost::unordered_flat_map<IpAddress, Check, AddressHash> checks_;
  std::set<std::pair<Clock::time_point, IpAddress>> due_;
  AddressHashSet held_;
  std::vector<CheckChange> changes_;
  std::size_t known_ = 0;  // checks with a result
  std::size_t suspects_ = 0;
  std::size_t failing_ = 0;
  bool braking_ = false;
  std::string impossible_;
  std::uint64_t tickets_ = 0;
};

}  // namespace fipd::health
