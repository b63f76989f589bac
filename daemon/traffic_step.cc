#include "daemon/traffic_step.h"

#include <algorithm>

namespace fipd {
namespace {

nat::Counter growth_of(const nat::Counter& before, const nat::Counter& now) {
  if (now.packets < before.packets || now.bytes < before.bytes) return now;
  return {now.packets - before.packets, now.bytes - before.bytes};
}

std::uint64_t bytes_of(const Traffic& traffic) { return traffic.in_bytes + traffic.out_bytes; }

void add(Traffic& sum, const Traffic& more) {
  sum.in_packets += more.in_packets;
  sum.in_bytes += more.in_bytes;
  sum.out_packets += more.out_packets;
  sum.out_bytes += more.out_bytes;
}

}  // namespace

Traffic to_report(const nat::Traffic& counted) {
  Traffic report;
  report.in_packets = counted.received.packets;
  report.in_bytes = counted.received.bytes;
  report.out_packets = counted.sent.packets;
  report.out_bytes = counted.sent.bytes;
  return report;
}

TrafficStep step_between(std::span<const nat::Traffic> before, std::span<const nat::Traffic> now,
                         std::size_t most_busy) {
  const auto busier = [](const TrafficStep::Busy& a, const TrafficStep::Busy& b) {
    return bytes_of(a.growth) > bytes_of(b.growth);
  };
  TrafficStep step;
  auto earlier = before.begin();
  for (const nat::Traffic& each : now) {
    while (earlier != before.end() && earlier->address < each.address) ++earlier;
    nat::Traffic grown = each;
    if (earlier != before.end() && earlier->address == each.address) {
      grown.received = growth_of(earlier->received, each.received);
      grown.sent = growth_of(earlier->sent, each.sent);
    }
    const Traffic growth = to_report(grown);
    add(step.growth, growth);
    if (bytes_of(growth) == 0 || most_busy == 0) continue;
    // A heap with the least busy of the busiest on top.
    auto& busiest = step.busiest;
    if (busiest.size() == most_busy) {
      if (bytes_of(growth) <= bytes_of(busiest.front().growth)) continue;
      std::pop_heap(busiest.begin(), busiest.end(), busier);
      busiest.pop_back();
    }
    busiest.push_back({each, growth});
    std::push_heap(busiest.begin(), busiest.end(), busier);
  }
  std::sort_heap(step.busiest.begin(), step.busiest.end(), busier);
  return step;
}

}  // namespace fipd
