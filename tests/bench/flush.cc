// Connections of COUNT translations ended by one pass, in the present network namespace, as fipd
// does it after a removal: 172.16.0.0 + i -> 10.64.0.0 + i, beginning with the FIRST. Prints
// milliseconds and how many entries went.
//   bench_flush FIRST COUNT
#include <cstdio>
#include <cstdlib>

#include "nat/kernel_connections.h"
#include "tests/bench/kernel_bench.h"

int main(int argc, char** argv) {
  using namespace fipd::bench;  // NOLINT: a program of one function
  if (argc != 3) give_up("bench_flush FIRST COUNT");
  const auto first = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
  const auto count = static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10));
  auto connections = fipd::nat::KernelConnections::open();
  if (!connections) give_up(connections.error().message());
  std::vector<fipd::nat::Translation> gone;
  for (unsigned i = first; i < first + count; ++i) {
    fipd::nat::Translation& each = gone.emplace_back();
    each.floating = floating(i);
    each.fixed = fixed(i);
  }
  const auto start = std::chrono::steady_clock::now();
  const auto flushed = (*connections)->flush(gone);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (!flushed) give_up(flushed.error().message());
  std::printf("%.3f %zu\n", took.count(), *flushed);
  return 0;
}
