#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "daemon/observe/events.h"
#include "daemon/observe/preview.h"
#include "daemon/observe/report.h"

namespace fipd::control {

// The JSON of docs/openapi.yaml. Pure.
[[nodiscard]] boost::json::object to_json(const FloatingIpReport& row);
[[nodiscard]] boost::json::object peers_json(const BirdReport& bird);
[[nodiscard]] boost::json::object to_json(const StatusReport& status);
[[nodiscard]] boost::json::object to_json(const DrainReport& report);
[[nodiscard]] boost::json::object to_json(const Event& event);
[[nodiscard]] boost::json::object to_json(const PreviewReport& preview);
// {"error": {...}}
[[nodiscard]] std::string error_body(std::string_view code, std::string_view message,
                                     std::optional<IpAddress> floating = std::nullopt);

// "2026-11-23T07:50:45.123Z"
[[nodiscard]] std::string rfc3339(std::chrono::system_clock::time_point time);

// The HTTP status and the stable code that a failure has on the wire.
struct WireError {
  unsigned status;
  std::string_view code;
};
[[nodiscard]] WireError wire_error(ErrorCode code);

}  // namespace fipd::control
