#include "daemon/observe/report.h"

namespace fipd {

std::string_view to_string(State state) {
  static constexpr std::array<std::string_view, kStates> kNames = {
      "waiting", "translated",  "routed",   "learned", "announced",
      "drained", "withdrawing", "conflict", "refused", "failed"};
  return kNames.at(static_cast<std::size_t>(state));
}

}  // namespace fipd
