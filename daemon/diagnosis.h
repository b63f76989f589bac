#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bgp/bird_layout.h"
#include "bgp/bird_routes.h"
#include "bgp/route_table.h"
#include "daemon/finding.h"

namespace fipd {

// What is known of one address that a session does not have.
struct Evidence {
  IpAddress address;
  std::vector<bgp::BirdRoute> routes;    // in BIRD's tables
  std::vector<bgp::BirdRoute> filtered;  // rejected by an import filter, where BIRD keeps them
  std::optional<bgp::StrangerRoute> stranger;              // before ours in our kernel table
  std::vector<std::string> exported;                       // sessions that have it
  std::vector<std::pair<std::string, bool>> would_export;  // the filter of these, run once more
  bool read_since = false;  // BIRD has read the kernel's table since the route was written
};

// Why not, by the first thing in the way from the kernel to the peers. Pure. `protocol`: of our
// routes, as the kernel and krt_source number it.
[[nodiscard]] Finding diagnose(const Evidence& evidence, const bgp::BirdLayout& layout,
                               unsigned protocol);

// Whether BIRD's kernel protocol brought it.
[[nodiscard]] bool is_ours(const bgp::BirdRoute& route, const bgp::BirdLayout& layout);

// Who else announces it: routes of BGP origin among `routes`, by the most telling address known of
// them. "10.240.0.7".
[[nodiscard]] std::vector<std::string> others_in(const std::vector<bgp::BirdRoute>& routes,
                                                 const bgp::BirdLayout& layout);

}  // namespace fipd
