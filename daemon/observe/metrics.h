#pragma once

#include <string>

#include "daemon/observe/report.h"

namespace fipd {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// What Prometheus scrapes: the text exposition format, every family with its HELP and TYPE. Pure;
// its size grows with sources and sessions, and with the number of floating IPs only as far as
// metrics.traffic_series allows.
[[nodiscard]] std::string render_metrics(const StatusReport& status);

}  // namespace fipd
