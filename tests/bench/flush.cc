// In the present network namespace, as fipd does it after a removal: connections of COUNT
// translations ended by one call, 172.16.0.0 + i -> 10.64.0.0 + i, beginning with the FIRST. Prints
// milliseconds and how many entries went. And what the NAT and route change of one association (two
// map elements in one transaction, then the route) takes, alone and while another thread flushes
// again and again: p50 and p99 of both, in microseconds.
//   bench_flush FIRST COUNT
//   bench_flush beside FIRST COUNT
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "nat/kernel_connections.h"
#include "tests/bench/kernel_bench.h"

namespace fipd::bench {
namespace {

constexpr unsigned kChanges = 2000;

class Flusher {
 public:
  Flusher(unsigned first, unsigned count) {
    auto opened = nat::KernelConnections::open();
    if (!opened) give_up(opened.error().message());
    connections_ = std::move(*opened);
    for (unsigned i = first; i < first + count; ++i) {
      nat::Translation& each = gone_.emplace_back();
      each.floating = floating(i);
      each.fixed = fixed(i);
    }
  }

  std::size_t flush() {
    const auto flushed = connections_->flush(gone_);
    if (!flushed) give_up(flushed.error().message());
    return *flushed;
  }

 private:
  std::unique_ptr<nat::KernelConnections> connections_;
  std::vector<nat::Translation> gone_;
};

int once(unsigned first, unsigned count) {
  Flusher flusher(first, count);
  const auto start = std::chrono::steady_clock::now();
  const std::size_t flushed = flusher.flush();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  std::printf("%.3f %zu\n", took.count(), flushed);
  return 0;
}

// Microseconds of associations, each after the other.
std::vector<double> associate(RawWriter& writer, const Arena& arena, unsigned first) {
  std::vector<double> took;
  for (unsigned i = first; i < first + kChanges; ++i) {
    writer.prepare_pairs(i, 1);
    writer.prepare_routes(i, 1, arena.interface);
    const auto start = std::chrono::steady_clock::now();
    writer.send();
    took.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
  }
  return took;
}

int beside(unsigned first, unsigned count) {
  Arena arena(Arena::Namespace::kPresent);
  RawWriter writer;
  Flusher flusher(first, count);
  const auto alone = associate(writer, arena, 200000);
  std::atomic<bool> over = false;
  std::thread thread([&] {
    while (!over) (void)flusher.flush();
  });
  const auto meanwhile = associate(writer, arena, 300000);
  over = true;
  thread.join();
  std::printf("%.2f %.2f %.2f %.2f\n", quantile(alone, 0.5), quantile(alone, 0.99),
              quantile(meanwhile, 0.5), quantile(meanwhile, 0.99));
  return 0;
}

unsigned number(const char* text) { return static_cast<unsigned>(std::strtoul(text, nullptr, 10)); }

}  // namespace
}  // namespace fipd::bench

int main(int argc, char** argv) {
  using namespace fipd::bench;  // NOLINT: a program's entry
  if (argc == 3) return once(number(argv[1]), number(argv[2]));
  if (argc == 4 && argv[1] == std::string_view("beside")) {
    return beside(number(argv[2]), number(argv[3]));
  }
  give_up("bench_flush [beside] FIRST COUNT");
}
