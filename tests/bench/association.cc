// One association, from the request inside the daemon to the kernel's acknowledgement (both map
// elements committed, the route acknowledged, the log line written), beside the raw netlink cost of
// the same writes, at 1,000 and at 100,000 existing bindings. Without the store's fsync. The two
// sizes and the raw writes take turns, so that whatever else the machine does falls on all alike.
#include <cstdio>
#include <memory>

#include <boost/asio/io_context.hpp>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "bgp/fake_network.h"
#include "daemon/base/tasks.h"
#include "daemon/reconcile/reconciler.h"
#include "nat/fake_connections.h"
#include "tests/bench/kernel_bench.h"

namespace fipd::bench {
namespace {

constexpr unsigned kSmall = 1000;
constexpr unsigned kLarge = 100000;
constexpr unsigned kSamples = 2000;
constexpr unsigned kForeignIntervals = 10000;

double microseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

class Subject {
 public:
  explicit Subject(Arena& arena) {
    network_.set_link(arena.interface, "tap1");
    const KernelParts parts{*arena.routes, network_, *arena.nat, connections_};
    reconciler_.emplace(context_.get_executor(), parts, ReconcileRules{}, events_);
    if (!reconciler_->start()) give_up("cannot start the reconciler");
    tasks_.spawn("run", reconciler_->run());
    context_.poll();
  }

  ~Subject() {
    tasks_.cancel();
    context_.restart();
    context_.run_for(std::chrono::milliseconds(500));
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  void load(unsigned first, unsigned count) {
    const std::size_t before = routed();
    reconciler_->begin_batch();
    for (unsigned i = first; i < first + count; ++i) reconciler_->put(claim(i));
    reconciler_->end_batch();
    while (routed() < before + count) context_.run_one();
    context_.poll();
  }

  double associate(unsigned i) {
    Claim request = claim(i);
    const auto start = std::chrono::steady_clock::now();
    reconciler_->put(std::move(request));
    while (!done(i)) context_.run_one();
    const double took = microseconds_since(start);
    context_.poll();
    return took;
  }

  [[nodiscard]] const Counters& counters() const { return reconciler_->counters(); }

 private:
  static Claim claim(unsigned i) {
    Binding binding;
    binding.floating = floating(i);
    binding.fixed = fixed(i);
    binding.interface = "tap1";
    return {binding, 0, 1, "api"};
  }

  [[nodiscard]] std::size_t routed() const {
    return reconciler_->standings().counts()[static_cast<std::size_t>(State::kRouted)];
  }

  [[nodiscard]] bool done(unsigned i) const {
    const Standing* standing = reconciler_->standings().find(floating(i));
    return standing != nullptr && standing->state == State::kRouted;
  }

  boost::asio::io_context context_{1};
  Tasks tasks_{context_.get_executor(),
               [](const std::string& name, const std::string& what) { give_up(name + what); }};
  EventHub events_;
  bgp::FakeNetwork network_;  // answers from memory: the interface is named in every request
  nat::FakeConnections connections_;
  std::optional<Reconciler> reconciler_;
};

struct Figures {
  std::vector<double> fipd;
  std::vector<double> raw;
};

// `samples` associations by fipd and by raw writes in turns, on top of what there is.
void sample(Subject& subject, RawWriter& raw, const Arena& arena, unsigned first, Figures& into) {
  for (unsigned i = 0; i < kSamples; ++i) {
    into.fipd.push_back(subject.associate(first + 2 * i));
    raw.prepare_pairs(first + 2 * i + 1, 1);
    raw.prepare_routes(first + 2 * i + 1, 1, arena.interface);
    const auto start = std::chrono::steady_clock::now();
    raw.send();
    into.raw.push_back(microseconds_since(start));
  }
}

void print(const char* title, const Figures& figures) {
  const double fipd = quantile(figures.fipd, 0.5);
  const double raw = quantile(figures.raw, 0.5);
  std::printf(
      "%-28s fipd p50 %6.2f us  p99 %6.2f us | raw p50 %6.2f us  p99 %6.2f us | ratio %.2f\n",
      title, fipd, quantile(figures.fipd, 0.99), raw, quantile(figures.raw, 0.99), fipd / raw);
}

// A firewall's blocklist: whoever lists sets for each change reads it each time.
void add_foreign_intervals() {
  std::string text = "table inet blocklist { set s { type ipv4_addr; flags interval; elements = { ";
  for (unsigned i = 0; i < kForeignIntervals; ++i) {
    text += fmt::format("{}203.{}.{}.0/25", i == 0 ? "" : ", ", i / 128, i % 128 * 2);
  }
  FILE* nft = popen("nft -f -", "w");
  if (nft == nullptr) give_up("cannot run nft");
  std::fputs((text + " }; }; }\n").c_str(), nft);
  if (pclose(nft) != 0) give_up("nft does not take the foreign set");
}

int run() {
  // The log as in production, a line a change, to a file.
  spdlog::set_default_logger(spdlog::basic_logger_mt("bench", "/dev/null"));
  Arena arena;
  Subject subject(arena);
  RawWriter raw;
  subject.load(0, kSmall);
  Figures small;
  sample(subject, raw, arena, 200000, small);
  add_foreign_intervals();
  Figures beside;
  sample(subject, raw, arena, 250000, beside);
  subject.load(kSmall, kLarge - kSmall);
  Figures large;
  sample(subject, raw, arena, 300000, large);
  std::printf("one association, request to kernel acknowledgement, %u samples each\n", kSamples);
  print("at 1,000 bindings", small);
  print("... 10,000 foreign intervals", beside);
  print("at 100,000 bindings", large);
  std::printf("fipd beside 10,000 foreign intervals / without: %.2f (raw: %.2f)\n",
              quantile(beside.fipd, 0.5) / quantile(small.fipd, 0.5),
              quantile(beside.raw, 0.5) / quantile(small.raw, 0.5));
  std::printf("fipd at 100,000 / at 1,000: %.2f (raw: %.2f)\n",
              quantile(large.fipd, 0.5) / quantile(small.fipd, 0.5),
              quantile(large.raw, 0.5) / quantile(small.raw, 0.5));
  std::printf("longest slice of a pass on the event loop: %.2f ms\n",
              static_cast<double>(subject.counters().longest_slice_ns) / 1e6);
  return 0;
}

}  // namespace
}  // namespace fipd::bench

int main() { return fipd::bench::run(); }
