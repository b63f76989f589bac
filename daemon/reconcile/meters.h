#pragma once

#include "daemon/reconcile/known_nat.h"
#include "daemon/state/binding.h"

namespace fipd {

// The elements that hold a floating IP to its limits.
[[nodiscard]] Meters meters_of(const Limits& limits);

}  // namespace fipd
