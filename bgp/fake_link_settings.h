#pragma once

#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "bgp/link_settings.h"

namespace fipd::bgp {

// LinkSettings in memory, for tests: writes down what was set.
class FakeLinkSettings : public LinkSettings {
 public:
  Result<bool> routes_localnet(unsigned interface) override { return set.contains(interface); }
  Outcome route_localnet(unsigned interface) override {
    if (failure) return fail(*failure);
    journal.push_back(interface);
    set.insert(interface);
    return {};
  }

  std::set<unsigned> set;
  std::vector<unsigned> journal;
  std::optional<Error> failure;  // of every write, until there is none
};

}  // namespace fipd::bgp
