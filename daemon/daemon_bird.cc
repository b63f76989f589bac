// The daemon's side of BIRD: who is told of which routes.
#include <utility>

#include "daemon/daemon.h"

namespace fipd {

void Daemon::open_bird() {
  drain_watch_ = std::make_unique<DrainWatch>(context_.get_executor(), *reconciler_, events_);
  if (!config_.bird.enabled) return;
  bgp::BirdOptions options;
  options.path = config_.bird.socket;
  options.timeout = config_.bird.timeout;
  bird_ = std::make_unique<bgp::BirdClient>(context_.get_executor(), options);
  bgp::BirdHints hints;
  hints.kernel_protocols = config_.bird.kernel_protocols;
  hints.sessions = config_.bird.sessions;
  announcements_ = std::make_unique<Announcements>(context_.get_executor(), *bird_, events_,
                                                   our_routes(), std::move(hints));
  drain_watch_->use_bird(*bird_, at_start_.route.protocol,
                         [this] { return announcements_->established(); });
  announcements_->on_released(
      [this](const IpAddress& floating) { reconciler_->release(floating); });
  reconciler_->on_routed(
      [this](const IpAddress& floating) { announcements_->note_routed(floating); });
  reconciler_->on_unrouted([this](const IpAddress& floating) {
    announcements_->forget(floating);
    if (reconciler_->bindings().winner(floating) != nullptr) return;
    announcements_->follow_withdrawal(floating, reconciler_->rules().linger);
  });
  bird_watch_ = std::make_unique<bgp::BirdWatch>(context_.get_executor(), *bird_, *announcements_,
                                                 config_.bird.interval);
}

OurRoutes Daemon::our_routes() const {
  OurRoutes ours;
  ours.protocol = config_.route.protocol;
  ours.routed = [this](const IpAddress& floating) { return is_routed(floating); };
  ours.count = [this] { return reconciler_->routes().size(); };
  ours.all = [this] {
    std::vector<IpAddress> all;
    all.reserve(reconciler_->routes().size());
    reconciler_->routes().for_each_destination([&](const IpAddress& floating) {
      if (is_routed(floating)) all.push_back(floating);
    });
    return all;
  };
  ours.metric = [this](const IpAddress& floating) {
    const KnownRoutes::Entries* entries = reconciler_->routes().find(floating);
    return entries == nullptr ? 0 : entries->front().metric;
  };
  ours.strangers = [this]() -> const std::vector<bgp::StrangerRoute>& {
    return reconciler_->strangers();
  };
  ours.shared = [this](const IpAddress& floating) {
    const Claim* claim = reconciler_->bindings().winner(floating);
    return claim != nullptr && claim->binding.extras->shared;
  };
  ours.elsewhere = [this](const IpAddress& floating) { reconciler_->noticed_elsewhere(floating); };
  ours.alone = [this](const IpAddress& floating) { reconciler_->seen_alone(floating); };
  return ours;
}

bool Daemon::is_routed(const IpAddress& floating) const {
  const Standing* standing = reconciler_->standings().find(floating);
  if (standing == nullptr) return false;
  return standing->state == State::kRouted || standing->state == State::kDrained;
}

// After each pass that wrote routes; also after the first, which may have adopted them.
boost::asio::awaitable<void> Daemon::tell_announcements() {
  std::uint64_t written = 0;
  std::size_t routed = 0;
  for (;;) {
    co_await reconciler_->passed().wait();
    const auto& counts = reconciler_->standings().counts();
    const std::size_t now = counts[static_cast<std::size_t>(State::kRouted)] +
                            counts[static_cast<std::size_t>(State::kDrained)];
    if (reconciler_->counters().route_changes == written && now == routed) continue;
    written = reconciler_->counters().route_changes;
    routed = now;
    announcements_->routes_changed();
  }
}

// What BIRD knows of it, put into the row.
void Daemon::add_announced(FloatingIpReport& row) const {
  Announced announced = announcements_->of(row.binding.floating);
  row.sessions = announcements_->sessions_for(row.binding.floating);
  row.announced = std::move(announced.sessions);
  row.also_announced_by = std::move(announced.others);
  if (row.state == State::kDrained && row.announced.empty() && !announced.reason.empty()) {
    row.reason += "; " + announced.reason;
  }
  if (row.state != State::kRouted) return;
  if (announced.learned) row.state = State::kLearned;
  if (!row.announced.empty()) row.state = State::kAnnounced;
  const std::string steered = std::exchange(row.reason, std::move(announced.reason));
  const bool duplicate = !row.also_announced_by.empty() && !row.binding.extras->shared;
  if (row.reason.empty() && duplicate) {
    row.reason = fmt::format("also announced by {}", fmt::join(row.also_announced_by, ", "));
  }
  if (steered.empty()) return;
  row.reason += (row.reason.empty() ? "" : "; ") + steered;
}

}  // namespace fipd
