#pragma once

#include <string>
#include <vector>

#include "daemon/reconcile/reconciler.h"

namespace fipd {

// The state of one pass of the reconciler, alive while it runs.
struct Reconciler::Pass {
  // Below this many, a batch is written on the loop (2-3 ms at the most); above, on the thread.
  static constexpr std::size_t kInline = 1024;

  Pass(KnownNat& nat, KnownRoutes& routes, PlanRules rules) : planner(plan, nat, routes, rules) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  AddressHashSet marked;
  bool all = false;  // whatever there is
  Plan plan;
  Planner planner;
  std::vector<Verdict> verdicts;
  Clock::time_point marked_at;
  Clock::time_point now;
  Clock::time_point slice_start;
  AddressHashSet unrouted;  // whose route the kernel refused
  std::string culprit;      // of a repair
  bool after_gap = false;   // there were no rules for a while
  bool tell_each = true;
};

}  // namespace fipd
