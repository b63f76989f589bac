#include "daemon/traffic_meter.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace fipd {
namespace {

using std::chrono_literals::operator""s;

constexpr auto kPatience = 5s;
constexpr std::size_t kMostTold = 10;  // floating IPs in events, each period

std::string words_of(const TrafficStep::Busy& busy, double seconds) {
  const auto bits = [seconds](std::uint64_t bytes) {
    return static_cast<double>(bytes) * 8 / 1e6 / seconds;
  };
  return fmt::format("{} in {:.3f} Mbit/s, out {:.3f} Mbit/s over {:.0f} s", busy.now.address,
                     bits(busy.growth.in_bytes), bits(busy.growth.out_bytes), seconds);
}

}  // namespace

TrafficMeter::TrafficMeter(boost::asio::any_io_executor executor, nat::NatTable& table,
                           MeterOptions options, EventHub& events)
    : table_(table), options_(options), events_(events), wake_(executor), read_(executor) {}

void TrafficMeter::configure(MeterOptions options) {
  if (options.accounting && !options_.accounting) counted_before_ = false;
  if (!options.accounting) {
    reading_ = std::make_shared<const std::vector<nat::Traffic>>();
    told_ = reading_;
  }
  options_ = options;
  wake_.notify_all();
}

boost::asio::awaitable<void> TrafficMeter::run() {
  for (;;) {
    if (is_on() && (wanted_ || Signal::Clock::now() >= read_at_ + options_.period)) {
      co_await read();
      continue;
    }
    const auto next = is_on() ? read_at_ + options_.period : Signal::Clock::time_point::max();
    co_await wake_.wait(next);
  }
}

boost::asio::awaitable<void> TrafficMeter::refresh() {
  const auto deadline = Signal::Clock::now() + kPatience;
  while (is_on() && Signal::Clock::now() > read_at_ + options_.fresh &&
         Signal::Clock::now() < deadline) {
    wanted_ = true;
    wake_.notify_all();
    co_await read_.wait(deadline);
  }
}

TrafficMeter::Counted TrafficMeter::count(nat::NatTable& table, MeterOptions options,
                                          const Reading& before, const Reading& told) {
  Counted counted;
  if (options.guard) {
    const Result<nat::Counter> untranslated = table.untranslated();
    if (!untranslated) {
      counted.problem = untranslated.error();
      return counted;
    }
    counted.untranslated = *untranslated;
  }
  if (!options.accounting) return counted;
  Result<std::vector<nat::Traffic>> traffic = table.counters();
  if (!traffic) {
    counted.problem = traffic.error();
    return counted;
  }
  counted.growth = step_between(*before, *traffic, 0).growth;
  if (told) counted.busiest = step_between(*told, *traffic, kMostTold).busiest;
  counted.reading = std::make_shared<const std::vector<nat::Traffic>>(*std::move(traffic));
  return counted;
}

boost::asio::awaitable<void> TrafficMeter::read() {
  const MeterOptions options = options_;
  const bool due = Signal::Clock::now() >= told_at_ + options_.period;
  Reading told = due ? told_ : nullptr;
  auto work = [&table = table_, options, before = reading_, told = std::move(told)] {
    return count(table, options, before, told);
  };
  Counted counted = co_await thread_.run(std::move(work));
  take(std::move(counted), options);
  wanted_ = false;  // also by those who came while it was read
  read_.notify_all();
}

void TrafficMeter::take(Counted counted, MeterOptions options) {
  read_at_ = Signal::Clock::now();
  const std::string problem = counted.problem.message();
  if (!problem.empty() && problem_.empty()) spdlog::error("cannot read counters: {}", problem);
  problem_ = problem;
  if (!problem.empty()) return;
  if (options.guard) untranslated_ = counted.untranslated;
  // Turned off meanwhile: what was read is of sets that are going.
  if (counted.reading == nullptr || !options_.accounting) return;
  reading_ = counted.reading;
  if (on_read_) on_read_(reading_);
  const bool first = std::exchange(counted_before_, false);
  if (first) {
    told_ = reading_;
    told_at_ = read_at_;
    return;
  }
  total_.in_packets += counted.growth.in_packets;
  total_.in_bytes += counted.growth.in_bytes;
  total_.out_packets += counted.growth.out_packets;
  total_.out_bytes += counted.growth.out_bytes;
  tell(counted);
}

void TrafficMeter::tell(const Counted& counted) {
  if (read_at_ < told_at_ + options_.period) return;
  const double seconds = std::chrono::duration<double>(read_at_ - told_at_).count();
  told_ = reading_;
  told_at_ = read_at_;
  for (const TrafficStep::Busy& busy : counted.busiest) {
    Event event;
    event.time = std::chrono::system_clock::now();
    event.kind = "traffic";
    event.floating = busy.now.address;
    event.text = words_of(busy, seconds);
    event.traffic = to_report(busy.now);
    events_.publish(event);
  }
}

std::optional<Traffic> TrafficMeter::find(const IpAddress& floating) const {
  const auto at = std::lower_bound(
      reading_->begin(), reading_->end(), floating,
      [](const nat::Traffic& each, const IpAddress& wanted) { return each.address < wanted; });
  if (at == reading_->end() || at->address != floating) return std::nullopt;
  return to_report(*at);
}

std::optional<GuardReport> TrafficMeter::guard() const {
  if (!options_.guard) return std::nullopt;
  return GuardReport{untranslated_.packets, untranslated_.bytes};
}

std::optional<AccountingReport> TrafficMeter::accounting(std::size_t most_series) const {
  if (!options_.accounting) return std::nullopt;
  AccountingReport report;
  report.counted = reading_->size();
  report.total = total_;
  if (report.counted > most_series) return report;
  for (const nat::Traffic& each : *reading_) {
    report.each.emplace_back(each.address, to_report(each));
  }
  return report;
}

}  // namespace fipd
