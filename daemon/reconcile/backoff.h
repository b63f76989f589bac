#pragma once

#include <algorithm>
#include <chrono>

namespace fipd {

// Before the next try of what the kernel has refused so many times.
inline std::chrono::milliseconds backoff(unsigned attempts) {
  return std::chrono::milliseconds(100) * (1 << std::min(attempts, 8U));  // 100 ms ... 25 s
}

}  // namespace fipd
