#pragma once

#include <string>

#include "daemon/base/result.h"

namespace fipd::fipctl {

// All of it; "-" is standard input. kBadInput where it cannot be read, or is far too big.
[[nodiscard]] Result<std::string> read_file(const std::string& path);

}  // namespace fipd::fipctl
