#include "daemon/reconcile/warnings.h"

#include <fmt/format.h>

#include "nat/ruleset.h"

namespace fipd {

std::string warning_of(const nat::Neighbour& neighbour, bool metadata) {
  const std::string chain =
      fmt::format("table {} {} chain {}", neighbour.family, neighbour.table, neighbour.chain);
  if (neighbour.kind == nat::Neighbour::Kind::kTranslatesFirst) {
    const bool source = neighbour.hook == "postrouting";
    return fmt::format(
        "{} ({}, priority {}) translates before fipd, and who translates first has the "
        "connection: give it a priority above {}",
        chain, neighbour.hook, neighbour.priority,
        source ? nat::kSourcePriority : nat::kDestinationPriority);
  }
  if (neighbour.hook == "output") return "";  // the host's own calls: nobody's floating IP
  if (neighbour.hook == "input") {
    if (!metadata) return "";
    return fmt::format(
        "{} (input, priority {}) drops by default: instances' calls of the metadata service need "
        "an accept in it, like 'ct status dnat accept'",
        chain, neighbour.priority);
  }
  return fmt::format(
      "{} ({}, priority {}) drops by default: packets to instances need an accept in it, like 'ct "
      "status dnat accept', and what instances send needs one, too",
      chain, neighbour.hook, neighbour.priority);
}

}  // namespace fipd
