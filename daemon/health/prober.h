#pragma once

#include <chrono>
#include <functional>

#include "daemon/health/check_book.h"

namespace fipd::health {

// Asks one instance whether it is there. The seam for the fake: on the event loop's thread, never
// blocking.
class Prober {
 public:
  using Done = std::function<void(ProbeResult)>;

  virtual ~Prober() = default;

  // Calls `done` once, later, never from within; after `timeout` at the latest. Not at all where
  // the prober is closed or destroyed before.
  virtual void probe(const CheckTarget& target, std::chrono::milliseconds timeout, Done done) = 0;
};

}  // namespace fipd::health
