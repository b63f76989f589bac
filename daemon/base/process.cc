#include "daemon/base/process.h"

#include <fstream>

#include <fmt/format.h>

namespace fipd {

std::string describe_process(std::uint32_t pid) {
  if (pid == 0) return "the kernel";
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  if (std::getline(file, name) && !name.empty()) return fmt::format("{} (pid {})", name, pid);
  return fmt::format("pid {}", pid);
}

}  // namespace fipd
