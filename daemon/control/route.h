#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/address.h"
#include "daemon/control/service.h"

namespace fipd::control {

enum class Endpoint : std::uint8_t {
  kStatus,
  kPeers,
  kList,
  kBatch,
  kShow,
  kPut,
  kDelete,
  kForwards,
  kEvents,
  kReload,
  kAccept,
  kDrain,
  kUndrain,
  kDrainReport,
  kMetrics,
  kOptions,  // any known path
};

// Longest ?timeout= that a client may hold one of the few places for.
inline constexpr std::chrono::milliseconds kLongestWait = std::chrono::minutes(10);

// A request line, understood.
struct Route {
  Endpoint endpoint = Endpoint::kStatus;
  bool head = false;   // answer as for GET, without the body
  IpAddress floating;  // kShow, kPut, kDelete, kForwards
  std::string allow;   // kOptions: the methods of this path
  std::optional<WaitFor> wait;
  std::chrono::milliseconds timeout{5000};
  std::optional<bool> replace;
  bool counters = false;     // kList: with traffic
  bool dry_run = false;      // of changes: only say what they would be
  std::string source;        // kAccept; empty: all
  bool connections = false;  // kDrainReport: count them, too
};

// A request line that is answered with an error, and how.
struct RouteError {
  unsigned status = 404;
  std::string_view code = "not_found";
  std::string message;
  std::string allow;  // 405: the methods of this path
};

// Pure. Knows every path, method and query parameter of the API; unknown ones are errors.
[[nodiscard]] tl::expected<Route, RouteError> parse_route(std::string_view method,
                                                          std::string_view target);

// Whether it needs the right to change things, rather than to read.
[[nodiscard]] bool changes(Endpoint endpoint);

// "5s", "500ms", "2m", "5": more than nothing, at most kLongestWait. Also fipctl's --timeout.
[[nodiscard]] Result<std::chrono::milliseconds> parse_timeout(std::string_view text);

}  // namespace fipd::control
