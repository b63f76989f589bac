// What the daemon answers to the control API: Service, from the parts.
#include <algorithm>
#include <utility>

#include <boost/asio/steady_timer.hpp>

#include "daemon/daemon.h"
#include "daemon/observe/refused_words.h"
#include "daemon/state/forward.h"

namespace fipd {
namespace {

// A change is on disk by then; only the kernel's answer is waited for.
constexpr std::chrono::seconds kKernelDeadline{30};
constexpr std::chrono::milliseconds kFirstLook{5};
constexpr std::chrono::milliseconds kLongestBetweenLooks{100};

bool covers(const std::vector<std::string>& have, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& each) {
    return std::find(have.begin(), have.end(), each) != have.end();
  });
}

}  // namespace

StatusReport Daemon::status() {
  StatusReport report;
  report.version = FIPD_VERSION;
  report.host = config_.host.name;
  report.started = started_;
  report.counts = reconciler_->standings().counts();
  report.counts[static_cast<std::size_t>(State::kConflict)] = reconciler_->bindings().losers();
  if (announcements_) {
    // An address the kernel refused to change may still be announced: never more than are routed.
    std::size_t& routed = report.counts[static_cast<std::size_t>(State::kRouted)];
    const std::size_t announced =
        std::min(routed, announcements_->announced() - drained_and_announced());
    routed -= announced;
    report.counts[static_cast<std::size_t>(State::kAnnounced)] += announced;
    const std::size_t learned = std::min(routed, announcements_->only_learned());
    routed -= learned;
    report.counts[static_cast<std::size_t>(State::kLearned)] += learned;
  }
  report.sources = {api_->report(), files_->report()};
  if (etcd_) {
    report.sources.push_back(etcd_->report());
    const std::string& problem = etcd_status_->problem();
    if (!problem.empty()) report.sources.back().problems.push_back(problem);
  }
  if (calico_) report.sources.push_back(calico_->report());
  report.bird.enabled = bird_ != nullptr;
  if (announcements_) report.bird = announcements_->report();
  report.host_drained = reconciler_->steering().host_drained();
  report.drain_marks = reconciler_->steering().drained().size();
  report.health = health_->report();
  report.counters = reconciler_->counters();
  report.guard = meter_->guard();
  report.accounting = meter_->accounting(config_.metrics.traffic_series);
  report.problems = reconciler_->problems();
  report.warnings = reconciler_->warnings();
  if (std::string deaf = arrivals_->problem(); !deaf.empty()) {
    report.warnings.push_back(std::move(deaf));
  }
  for (std::string& each : server_->warnings()) report.warnings.push_back(std::move(each));
  if (!meter_->problem().empty()) {
    report.warnings.push_back("counters cannot be read: " + meter_->problem());
  }
  for (const SourceReport& source : report.sources) {
    for (const std::string& problem : source.problems) {
      report.problems.push_back(fmt::format("source {}: {}", source.name, problem));
    }
    if (source.held == 0) continue;
    report.problems.push_back(
        fmt::format("source {}: {} removal(s) held: look at it, then fipctl accept {}", source.name,
                    source.held, source.name));
  }
  for (const std::string& problem : report.health.problems) {
    report.problems.push_back("health: " + problem);
  }
  if (!report.bird.problem.empty()) report.problems.push_back("BIRD: " + report.bird.problem);
  for (const std::string& each : report.bird.problems) report.problems.push_back("BIRD: " + each);
  const auto failed = report.counts[static_cast<std::size_t>(State::kFailed)];
  if (failed > 0) {
    report.problems.push_back(fmt::format("{} floating IP(s) refused by the kernel", failed));
  }
  return report;
}

// Only while something is drained does this walk over what there is.
std::size_t Daemon::drained_and_announced() const {
  const auto& counts = reconciler_->standings().counts();
  if (counts[static_cast<std::size_t>(State::kDrained)] == 0) return 0;
  std::size_t count = 0;
  reconciler_->standings().for_each([&](const IpAddress& floating, const Standing& standing) {
    if (standing.state == State::kDrained && announcements_->is_announced(floating)) ++count;
  });
  return count;
}

boost::asio::awaitable<std::vector<IpAddress>> Daemon::addresses() {
  std::vector<IpAddress> all = reconciler_->bindings().floatings();
  reconciler_->standings().for_each([&](const IpAddress& floating, const Standing&) {
    if (reconciler_->bindings().winner(floating) == nullptr) all.push_back(floating);
  });
  for (const std::vector<RefusedWord>* words : refused_words()) {
    for (const RefusedWord& word : *words) {
      if (word.floating) all.push_back(*word.floating);
    }
  }
  auto work = [all = std::move(all)]() mutable {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return std::move(all);
  };
  std::vector<IpAddress> sorted = co_await parsing_.run(std::move(work));
  co_return sorted;
}

std::vector<const std::vector<RefusedWord>*> Daemon::refused_words() const {
  std::vector<const std::vector<RefusedWord>*> all{&files_->refused()};
  if (etcd_) all.push_back(&etcd_->refused());
  if (calico_) all.push_back(&calico_->refused());
  return all;
}

std::vector<FloatingIpReport> Daemon::nameless_rows() {
  std::vector<FloatingIpReport> rows;
  for (const std::vector<RefusedWord>* words : refused_words()) {
    for (const RefusedWord& word : refused_of(*words, std::nullopt)) rows.push_back(row_of(word));
  }
  return rows;
}

std::vector<FloatingIpReport> Daemon::rows(const IpAddress& floating) {
  std::vector<FloatingIpReport> rows = claimed_rows(floating);
  for (const std::vector<RefusedWord>* words : refused_words()) {
    for (const RefusedWord& word : refused_of(*words, floating)) rows.push_back(row_of(word));
  }
  return rows;
}

std::vector<FloatingIpReport> Daemon::claimed_rows(const IpAddress& floating) const {
  std::vector<FloatingIpReport> rows;
  const auto claims = reconciler_->bindings().claims(floating);
  const Standing* standing = reconciler_->standings().find(floating);
  if (claims.empty() && standing == nullptr) return rows;
  FloatingIpReport first;
  if (!claims.empty()) {
    first.binding = claims.front().binding;
    first.source = claims.front().origin;
    first.revision = claims.front().revision;
  } else {
    first.binding.floating = floating;
    if (auto target = reconciler_->translated_to(floating)) {
      first.binding.fixed = target->fixed;
      if (!target->forwards.empty()) {
        first.binding.extras.edit().forwards = std::move(target->forwards);
      }
    }
  }
  if (standing != nullptr) {
    first.state = standing->state;
    first.reason = standing->reason;
  } else {
    first.reason = "not looked at yet";
  }
  if (const auto* entries = reconciler_->routes().find(floating)) {
    const bgp::Link* link = reconciler_->host().link(entries->front().interface);
    if (link != nullptr) first.interface = link->name;
    first.metric = entries->front().metric;
  }
  if (announcements_) add_announced(first);
  rows.push_back(std::move(first));
  for (const Claim& loser : claims.subspan(claims.empty() ? 0 : 1)) {
    FloatingIpReport& row = rows.emplace_back();
    row.binding = loser.binding;
    row.source = loser.origin;
    row.revision = loser.revision;
    row.state = State::kConflict;
    row.reason = fmt::format("bound to {} by {}", to_string(target_of(claims.front().binding)),
                             claims.front().origin);
  }
  return rows;
}

boost::asio::awaitable<std::vector<FloatingIpReport>> Daemon::inspect(IpAddress floating) {
  if (announcements_ && is_routed(floating)) {
    co_await announcements_->examine(floating);
  }
  std::vector<FloatingIpReport> found = rows(floating);
  // Looked up for one address at a time: for all it would take the events of every route.
  if (!found.empty() && found.front().metric != 0) add_way(found.front());
  co_return found;
}

void Daemon::add_way(FloatingIpReport& row) {
  const auto interface_to = [this](const IpAddress& fixed) {
    return network_->interface_to(fixed);
  };
  const std::string lost = without_way(row.binding, interface_to);
  if (lost.empty()) return;
  row.reason += (row.reason.empty() ? "" : "; ") + lost;
}

boost::asio::awaitable<void> Daemon::read_counters() { co_await meter_->refresh(); }

std::optional<Traffic> Daemon::traffic(const IpAddress& floating) { return meter_->find(floating); }

boost::asio::awaitable<tl::expected<void, ChangeFailure>> Daemon::change(ChangeRequest request) {
  const std::vector<IpAddress> put = request.wanted();
  for (const Binding& each : request.put) {
    const bool here = reconciler_->bindings().winner(each.floating) != nullptr;
    if (announcements_ && !here) announcements_->note_coming(each.floating);
  }
  tl::expected<void, ChangeFailure> changed = co_await api_->change(std::move(request));
  if (!changed) co_return changed;
  const bool settled = co_await reconciler_->settled(Signal::Clock::now() + kKernelDeadline);
  if (!settled) {
    Error late(ErrorCode::kTimeout, "kept, but the kernel has not taken it yet: see fipctl status");
    ChangeFailure failure{std::move(late), std::nullopt, "kernel_timeout"};
    co_return tl::unexpected<ChangeFailure>(std::move(failure));
  }
  for (const IpAddress& floating : put) {
    if (auto other = overruled(floating)) {
      ChangeFailure failure{std::move(*other), floating, "not_in_force"};
      co_return tl::unexpected<ChangeFailure>(std::move(failure));
    }
    const Standing* standing = reconciler_->standings().find(floating);
    if (standing == nullptr || standing->state != State::kFailed) continue;
    Error refused(ErrorCode::kKernel,
                  fmt::format("{}: {}; kept, and tried again", floating, standing->reason));
    ChangeFailure failure{std::move(refused), floating, "kernel_refused"};
    co_return tl::unexpected<ChangeFailure>(std::move(failure));
  }
  co_return changed;
}

std::optional<Error> Daemon::overruled(const IpAddress& floating) const {
  const Claim* winner = reconciler_->bindings().winner(floating);
  if (winner == nullptr || winner->origin == kApiOrigin) return std::nullopt;
  if (reconciler_->bindings().claim(floating, kApiOrigin) == nullptr) return std::nullopt;
  return Error(ErrorCode::kConflict,
               fmt::format("{} is bound to {} by {}, which goes before the API (sources.order); "
                           "kept, and in force when that is gone",
                           floating, to_string(target_of(winner->binding)), winner->origin));
}

boost::asio::awaitable<std::optional<Outcome>> Daemon::reached(IpAddress floating, WaitFor what) {
  const Standing* standing = reconciler_->standings().find(floating);
  if (what == WaitFor::kGone) {
    const bool claimed = reconciler_->bindings().winner(floating) != nullptr;
    if (claimed || standing == nullptr) co_return success();
    if (standing->state == State::kWithdrawing) co_return std::nullopt;
  } else if (auto other = overruled(floating)) {
    Outcome never = fail(std::move(*other));
    co_return never;
  }
  if (standing == nullptr) co_return std::nullopt;
  const State state = standing->state;
  if (state == State::kRefused || state == State::kFailed || state == State::kWithdrawing) {
    Outcome never =
        fail(ErrorCode::kKernel, "{} is {}: {}", floating, to_string(state), standing->reason);
    co_return never;
  }
  if (what == WaitFor::kSettled || what == WaitFor::kTranslated) co_return success();
  if (state != State::kRouted && state != State::kDrained) co_return std::nullopt;
  if (what == WaitFor::kRouted) co_return success();
  if (!announcements_) {
    Outcome never = fail(ErrorCode::kUnavailable, "bird.enabled is false: nothing is announced");
    co_return never;
  }
  const Result<std::vector<std::string>> sessions = co_await announcements_->ask(floating);
  const std::vector<std::string> wanted = announcements_->established_for(floating);
  if (!sessions || sessions->empty() || !covers(*sessions, wanted)) co_return std::nullopt;
  co_return success();
}

boost::asio::awaitable<Outcome> Daemon::wait(std::vector<IpAddress> floatings, WaitFor what,
                                             std::chrono::milliseconds timeout) {
  const auto deadline = Signal::Clock::now() + timeout;
  boost::asio::steady_timer timer(context_);
  for (const IpAddress& floating : floatings) {
    auto between = kFirstLook;
    for (;;) {
      std::optional<Outcome> outcome = co_await reached(floating, what);
      if (outcome && !*outcome) co_return std::move(*outcome);
      if (outcome) break;
      if (Signal::Clock::now() >= deadline) {
        const auto now = co_await inspect(floating);
        const std::string state =
            now.empty() ? "gone"
                        : fmt::format("{}{}{}", to_string(now.front().state),
                                      now.front().reason.empty() ? "" : ": ", now.front().reason);
        co_return fail(ErrorCode::kTimeout, "{} is {}", floating, state);
      }
      timer.expires_after(between);
      co_await timer.async_wait(boost::asio::use_awaitable);
      between = std::min(between * 2, kLongestBetweenLooks);
    }
  }
  co_return success();
}

}  // namespace fipd
