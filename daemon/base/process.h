#pragma once

#include <cstdint>
#include <string>

namespace fipd {

// "ip (pid 4711)", or "pid 4711" where it is gone already, or "the kernel" for 0: who did it, for
// the log. A netlink port is its process's id only by custom, so this is a hint.
[[nodiscard]] std::string describe_process(std::uint32_t pid);

}  // namespace fipd
