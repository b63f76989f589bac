#pragma once

#include <string>

namespace fipd {

// The log goes to standard error: for journald with its priorities and no time of our own, else
// with a time. `level` as in log.level of the configuration.
void start_logging(const std::string& level);

}  // namespace fipd
