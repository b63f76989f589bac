#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace fipd {

// Tells the service manager (sd_notify(3)): "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1".
// One datagram to $NOTIFY_SOCKET; does nothing where there is none. libsystemd for this alone would
// bring four compression libraries into a privileged daemon.
void notify_service(std::string_view state);

// Half of $WATCHDOG_USEC, where it is meant for this process.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace fipd
