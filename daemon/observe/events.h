#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "daemon/base/address.h"
#include "daemon/observe/report.h"

namespace fipd {

// Something happened that an operator may want to see: one line of `fipctl monitor`.
struct Event {
  std::chrono::system_clock::time_point time;
  // bound changed removed waiting translated routed drained announced withdrawn failed conflict
  // repaired held source bird drain health traffic
  std::string kind;
  std::optional<IpAddress> floating;
  std::string text;                // a sentence
  std::optional<Traffic> traffic;  // of kind "traffic": what its counters say now
};

// Hands events to whoever listens, at once, on the event loop's thread. A listener must not block
// and must not subscribe or unsubscribe from within its call.
class EventHub {
 public:
  using Listener = std::function<void(const Event&)>;

  // Ends with its destruction. Must not outlive the hub.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(EventHub* hub, std::list<Listener>::iterator at) : hub_(hub), at_(at) {}
    Subscription(Subscription&& other) noexcept
        : hub_(std::exchange(other.hub_, nullptr)), at_(other.at_) {}
    Subscription& operator=(Subscription&& other) noexcept {
      std::swap(hub_, other.hub_);
      std::swap(at_, other.at_);
      return *this;
    }
    ~Subscription() {
      if (hub_ != nullptr) hub_->listeners_.erase(at_);
    }

   private:
    EventHub* hub_ = nullptr;
    std::list<Listener>::iterator at_;
  };

  [[nodiscard]] Subscription subscribe(Listener listener) {
    listeners_.push_front(std::move(listener));
    return Subscription(this, listeners_.begin());
  }

  // Whether anybody would hear: callers may skip the work of wording an event.
  [[nodiscard]] bool heard() const { return !listeners_.empty(); }

  [[nodiscard]] std::size_t listeners() const { return listeners_.size(); }

  void publish(std::string kind, std::optional<IpAddress> floating, std::string text) {
    if (listeners_.empty()) return;
    publish({std::chrono::system_clock::now(), std::move(kind), floating, std::move(text), {}});
  }
  void publish(const Event& event) {
    for (const Listener& listener : listeners_) listener(event);
  }

 private:
  std::list<Listener> listeners_;
};

}  // namespace fipd
