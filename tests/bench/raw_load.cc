// The kernel's own cost of a cold load: COUNT pairs in one nftables batch, then COUNT routes in
// batches of 256, from bytes made beforehand. Prints milliseconds: pairs, routes.
#include <cstdio>
#include <cstdlib>

#include "tests/bench/kernel_bench.h"

int main(int argc, char** argv) {
  using namespace fipd::bench;  // NOLINT: a program of one function
  const unsigned count = argc > 1 ? static_cast<unsigned>(std::atoi(argv[1])) : 100000;
  Arena arena;
  RawWriter raw;
  const auto timed = [&raw] {
    const auto start = std::chrono::steady_clock::now();
    raw.send();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  raw.prepare_pairs(0, count);
  const double pairs = timed();
  raw.prepare_routes(0, count, arena.interface);
  const double routes = timed();
  std::printf("%.1f %.1f\n", pairs, routes);
  return 0;
}
