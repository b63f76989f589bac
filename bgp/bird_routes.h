#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/bird_reply.h"

namespace fipd::bgp {

// One route in one of BIRD's tables, from `show route ... [all]`.
struct BirdRoute {
  std::string table;
  std::optional<Prefix> prefix;
  std::string source;  // the protocol that brought it: "fipd_kernel4", "tor1"
  bool best = false;
  std::uint32_t preference = 0;
  std::string origin_as;  // of BGP's: "64513"; empty: none, or our own AS
  std::string via;        // the gateway; empty: a device
  // With `all` only; 0 and empty where it has none.
  std::uint32_t kernel_source = 0;
  std::uint32_t kernel_metric = 0;
  std::string next_hop;    // BGP.next_hop
  std::string originator;  // BGP.originator_id, set by a route reflector

  friend bool operator==(const BirdRoute&, const BirdRoute&) = default;
};

// The answer to any `show route`, in slices, for answers of 100,000 routes. The reply must outlive
// it. Routes whose lines are not understood are left out.
class RouteRows {
 public:
  // No row, and no error, where there is no such route, or where the session that was asked about
  // is down. kNotFound where BIRD does not know the protocol or table.
  [[nodiscard]] static Result<RouteRows> in(const BirdReply& reply);
  // Appends what the next `lines` lines begin. False at the end of the reply: all is there.
  [[nodiscard]] bool take(std::size_t lines, std::vector<BirdRoute>& into);

 private:
  explicit RouteRows(BirdReply::Lines lines) : lines_(lines) {}
  void line(std::string_view text, std::vector<BirdRoute>& into);
  void attribute(std::string_view text);

  BirdReply::Lines lines_;
  std::string table_;
  std::optional<Prefix> prefix_;
  std::optional<BirdRoute> open_;  // complete when the next one begins
};

// All of them at once.
[[nodiscard]] Result<std::vector<BirdRoute>> parse_routes(const BirdReply& reply);

}  // namespace fipd::bgp
