#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "nat/connections.h"

namespace fipd::nat {

// Connections for tests: writes down what was flushed.
class FakeConnections : public Connections {
 public:
  Result<std::size_t> flush(std::span<const Translation> gone) override {
    journal.emplace_back(gone.begin(), gone.end());
    std::this_thread::sleep_for(walk);
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    return entries_per_translation * gone.size();
  }

  Result<std::vector<std::size_t>> count(std::span<const IpAddress> addresses) override {
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    std::vector<std::size_t> counts;
    for (const IpAddress& address : addresses) {
      const auto at = open.find(address);
      counts.push_back(at == open.end() ? 0 : at->second);
    }
    return counts;
  }

  std::map<IpAddress, std::size_t> open;          // what count() says
  std::vector<std::vector<Translation>> journal;  // one entry a call
  std::size_t entries_per_translation = 1;
  std::chrono::milliseconds walk{0};  // how long a flush takes
  std::optional<Error> next_failure;  // of the next call only
};

}  // namespace fipd::nat
