#include "daemon/drain_watch.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace fipd {
namespace {

// Up to so many are asked for one by one; of more, all that is not drained is asked for.
constexpr std::size_t kFew = 32;
constexpr std::chrono::seconds kBetweenCounts{5};
constexpr std::size_t kOwnListeners = 1;  // the log

}  // namespace

DrainWatch::DrainWatch(boost::asio::any_io_executor executor, Reconciler& reconciler,
                       EventHub& events)
    : reconciler_(reconciler), events_(events), changed_(std::move(executor)) {}

void DrainWatch::use_bird(bgp::BirdClient& bird, unsigned protocol,
                          std::function<std::vector<std::string>()> established) {
  bird_ = &bird;
  protocol_ = protocol;
  established_ = std::move(established);
}

std::vector<IpAddress> DrainWatch::drained() const {
  const Steering& steering = reconciler_.steering();
  if (steering.host_drained()) return reconciler_.bindings().floatings();
  std::vector<IpAddress> all;
  for (const IpAddress& floating : steering.drained()) {
    if (reconciler_.bindings().winner(floating) != nullptr) all.push_back(floating);
  }
  return all;
}

std::size_t DrainWatch::unwritten(const std::vector<IpAddress>& drained) const {
  const std::uint32_t metric = reconciler_.rules().derive.drained_metric;
  const auto behind = [&](const IpAddress& floating) {
    const auto* entries = reconciler_.routes().find(floating);
    return entries != nullptr &&
           std::any_of(entries->begin(), entries->end(),
                       [&](const auto& entry) { return entry.metric < metric; });
  };
  return static_cast<std::size_t>(std::count_if(drained.begin(), drained.end(), behind));
}

boost::asio::awaitable<DrainReport> DrainWatch::report(bool with_connections) {
  DrainReport report;
  report.host = reconciler_.steering().host_drained();
  report.marked = reconciler_.steering().drained().size();
  const std::vector<IpAddress> floatings = drained();
  report.floating_ips = floatings.size();
  report.unwritten = unwritten(floatings);
  if (!floatings.empty()) co_await ask_sessions(report, floatings);
  if (with_connections) {
    const Result<std::size_t> open = co_await connections(floatings);
    if (open) report.connections = *open;
    if (!open && report.problem.empty()) report.problem = open.error().message();
  }
  co_return report;
}

boost::asio::awaitable<void> DrainWatch::ask_sessions(DrainReport& report,
                                                      const std::vector<IpAddress>& drained) {
  if (bird_ == nullptr) {
    report.problem = "bird.enabled is false: nobody can be asked";
    co_return;
  }
  const std::vector<std::string> sessions = established_();
  for (const std::string& session : sessions) {
    const Result<std::size_t> count = co_await undrained(session, drained);
    if (!count) {
      report.problem = "BIRD: " + count.error().message();
      co_return;
    }
    report.sessions.push_back({session, *count});
  }
  if (sessions.empty()) report.problem = "no BGP session is established";
}

boost::asio::awaitable<Result<std::size_t>> DrainWatch::undrained(
    std::string session, const std::vector<IpAddress>& drained) {
  const std::uint32_t metric = reconciler_.rules().derive.drained_metric;
  if (drained.size() > kFew) {
    const auto exported = co_await bird_->exported_below(session, protocol_, metric, std::nullopt);
    if (!exported) co_return fail(exported.error());
    co_return static_cast<std::size_t>(std::count_if(
        exported->begin(), exported->end(),
        [this](const IpAddress& floating) { return reconciler_.steering().is_drained(floating); }));
  }
  std::size_t count = 0;
  for (const IpAddress& floating : drained) {
    const std::optional<IpAddress> only = floating;
    const auto exported = co_await bird_->exported_below(session, protocol_, metric, only);
    if (!exported) co_return fail(exported.error());
    count += exported->size();
  }
  co_return count;
}

boost::asio::awaitable<Result<std::size_t>> DrainWatch::connections(
    std::vector<IpAddress> drained) {
  const auto counts = co_await reconciler_.count_connections(std::move(drained));
  if (!counts) co_return fail(counts.error());
  co_return std::accumulate(counts->begin(), counts->end(), std::size_t{0});
}

boost::asio::awaitable<void> DrainWatch::run() {
  std::optional<std::size_t> told;
  for (;;) {
    std::vector<IpAddress> floatings = drained();
    if (floatings.empty()) {
      told.reset();
      co_await changed_.wait();
      continue;
    }
    if (events_.listeners() <= kOwnListeners) {
      told.reset();
    } else {
      const std::size_t count = floatings.size();
      const Result<std::size_t> open = co_await connections(std::move(floatings));
      if (open && told != *open) {
        told = *open;
        events_.publish(
            "drain", std::nullopt,
            fmt::format("{} connection(s) open on {} drained floating IP(s)", *open, count));
      }
    }
    co_await changed_.wait(Signal::Clock::now() + kBetweenCounts);
  }
}

}  // namespace fipd
