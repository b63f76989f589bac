#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/address.h"

namespace fipd {

// What a change would write, had it not been a dry run; in words already, as nft and ip write it.
struct PreviewReport {
  // One element of one map or set. Neither before nor after: a set's, whose key is all.
  struct Element {
    std::string map;  // "fixed_by_floating6"
    std::string key;  // "172.16.1.3", "172.16.1.3 . tcp . 443"
    bool added = false;
    bool removed = false;  // both: its value changes
    std::string before;    // "10.65.0.13", "counter packets 0 bytes 0"; empty: no value
    std::string after;
  };
  struct Route {
    std::string change;  // "add", "replace", "delete"
    IpAddress destination;
    std::string interface;
    std::uint32_t metric = 0;
  };

  std::vector<Element> elements;        // in one transaction
  std::vector<Route> routes;            // then
  std::vector<Element> elements_later;  // when peers have let go of what is removed
  std::vector<std::string> commands;    // elements and routes as a person would type them
  std::vector<std::string> commands_later;
  std::vector<std::string> notes;  // sentences
};

}  // namespace fipd
