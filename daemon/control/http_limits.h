#pragma once

#include <chrono>
#include <cstddef>

namespace fipd::control {

// What one client, and all of them, may cost us.
struct HttpLimits {
  std::size_t clients = 64;          // on the Unix socket; one more gets 503
  std::size_t metrics_clients = 16;  // on the TCP listener
  std::size_t request_bytes = 16 << 20;
  std::size_t header_bytes = 16 << 10;
  std::size_t unsent_bytes = 1 << 20;         // of an event stream
  std::chrono::milliseconds request{10000};   // for a request to arrive, once begun
  std::chrono::milliseconds idle{60000};      // between requests
  std::chrono::milliseconds progress{10000};  // for one piece of an answer to be taken
  std::chrono::milliseconds linger{1000};     // for the rest of a refused request
};

}  // namespace fipd::control
