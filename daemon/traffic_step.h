#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "daemon/observe/report.h"
#include "nat/nat_table.h"

namespace fipd {

[[nodiscard]] Traffic to_report(const nat::Traffic& counted);

// What came to pass between two readings of the counters.
struct TrafficStep {
  Traffic growth;  // of all floating IPs together
  struct Busy {
    nat::Traffic now;
    Traffic growth;
  };
  std::vector<Busy> busiest;  // by bytes, the busiest first; none that stood still
};

// Pure; both readings sorted by address. A floating IP that is new, or whose counters began anew,
// counts whole; one that is gone takes nothing back.
[[nodiscard]] TrafficStep step_between(std::span<const nat::Traffic> before,
                                       std::span<const nat::Traffic> now, std::size_t most_busy);

}  // namespace fipd
