#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/state/forward.h"

namespace fipd {

// A change of some forwards of a floating IP that leaves the others as they are.
struct ForwardEdit {
  struct Removal {
    ForwardedPorts ports;
    std::optional<Forward> exactly;  // where it was written whole: only if it still leads there
  };

  IpAddress floating;
  std::vector<Removal> remove;  // before `add`
  std::vector<Forward> add;
  bool replace = false;  // whether one that is added takes the place of one with the same ports
};

// "tcp/443" or, whole, "tcp/443=10.65.0.13:8443".
[[nodiscard]] Result<ForwardEdit::Removal> parse_forward_removal(std::string_view text);

struct ForwardRefusal {
  Error error;
  std::string_view stable_code;  // "forward_not_found", "forward_conflict", "last_forward"...
};

// Carries `edit` out on the forwards of one floating IP, or leaves them and says why not. Adding
// what is there already is fine. Pure.
[[nodiscard]] std::optional<ForwardRefusal> edit_forwards(const ForwardEdit& edit,
                                                          std::vector<Forward>& forwards);

}  // namespace fipd
