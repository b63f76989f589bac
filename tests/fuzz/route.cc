// The first line of a request, which anybody who may connect controls: "METHOD TARGET".
#include "daemon/control/route.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const std::size_t space = line.find(' ');
  const std::string_view target = space == line.npos ? "" : line.substr(space + 1);
  const auto route = fipd::control::parse_route(line.substr(0, space), target);
  if (!route) {
    if (route.error().status < 400 || route.error().code.empty()) std::abort();
    for (const char c : route.error().message) {
      if (c < ' ' || c > '~') std::abort();  // what comes back must not play with a terminal
    }
    return 0;
  }
  if (route->timeout.count() < 1 || route->timeout > fipd::control::kLongestWait) std::abort();
  if (route->wait && route->dry_run) std::abort();
  if (route->wait && !fipd::control::changes(route->endpoint)) std::abort();
  return 0;
}
