// What the daemon answers on drains: Service, from the parts.
#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/daemon.h"

namespace fipd {
namespace {

constexpr std::chrono::seconds kKernelDeadline{30};
constexpr std::size_t kMostDrainMarks = 250000;

tl::unexpected<ChangeFailure> refused(ErrorCode code, const IpAddress& floating,
                                      std::string stable_code, std::string text) {
  ChangeFailure failure{Error(code, std::move(text)), floating, std::move(stable_code)};
  return tl::unexpected<ChangeFailure>(std::move(failure));
}

std::string drain_text(const DrainRequest& request, bool drained) {
  std::string who = "the whole host";
  if (request.floatings.size() == 1) who = request.floatings.front().to_string();
  if (request.floatings.size() > 1) {
    who = fmt::format("each of {} floating IPs", request.floatings.size());
  }
  return fmt::format("{} {}", who, drained ? "is drained" : "is not drained any more");
}

}  // namespace

// What an earlier run was told, before the first pass.
void Daemon::restore_drains() {
  const StoredDrains& drains = store_->drains();
  if (drains.host) reconciler_->drain(std::nullopt, true);
  for (const IpAddress& floating : drains.floatings) reconciler_->drain(floating, true);
  if (drains.host || !drains.floatings.empty()) {
    spdlog::warn("drained: {}{} floating IP(s) by name", drains.host ? "the whole host, and " : "",
                 drains.floatings.size());
  }
}

std::vector<StoreChange> Daemon::drain_words() const {
  std::vector<StoreChange> words;
  const Steering& steering = reconciler_->steering();
  if (steering.host_drained()) words.emplace_back(StoreDrain{std::nullopt, true});
  for (const IpAddress& floating : steering.drained()) {
    words.emplace_back(StoreDrain{floating, true});
  }
  return words;
}

tl::expected<void, ChangeFailure> Daemon::judge_drain(const DrainRequest& request,
                                                      bool drained) const {
  const Steering& steering = reconciler_->steering();
  for (const IpAddress& floating : request.floatings) {
    const bool marked = steering.drained().contains(floating);
    if (!drained && steering.host_drained()) {
      return refused(
          ErrorCode::kConflict, floating, "host_drained",
          fmt::format("{} is drained with the whole host: fipctl undrain --all", floating));
    }
    if (reconciler_->bindings().winner(floating) == nullptr && (drained || !marked)) {
      return refused(ErrorCode::kNotFound, floating, "not_found",
                     fmt::format("no floating IP {}", floating));
    }
  }
  if (drained && steering.drained().size() + request.floatings.size() > kMostDrainMarks) {
    return refused(ErrorCode::kLimit, request.floatings.front(), "too_many",
                   "more floating IPs drained by name than fipd keeps: drain the host");
  }
  return {};
}

boost::asio::awaitable<tl::expected<void, ChangeFailure>> Daemon::drain(DrainRequest request,
                                                                        bool drained) {
  tl::expected<void, ChangeFailure> outcome = judge_drain(request, drained);
  if (!outcome) co_return outcome;
  std::vector<std::optional<IpAddress>> whom(request.floatings.begin(), request.floatings.end());
  if (request.host) whom.emplace_back(std::nullopt);
  std::vector<StoreChange> words;
  for (const auto& each : whom) words.emplace_back(StoreDrain{each, drained});
  outcome = co_await api_->record(std::move(words));
  if (!outcome) co_return outcome;
  for (const auto& each : whom) reconciler_->drain(each, drained);
  drain_watch_->drain_changed();
  const std::string text = drain_text(request, drained);
  spdlog::info("{}", text);
  events_.publish("drain", std::nullopt, text);
  const bool settled = co_await reconciler_->settled(Signal::Clock::now() + kKernelDeadline);
  if (settled) co_return outcome;
  Error late(ErrorCode::kTimeout, "kept, but the kernel has not taken it yet: see fipctl status");
  ChangeFailure failure{std::move(late), std::nullopt, "kernel_timeout"};
  co_return tl::unexpected<ChangeFailure>(std::move(failure));
}

boost::asio::awaitable<DrainReport> Daemon::drain_report(bool with_connections) {
  DrainReport report = co_await drain_watch_->report(with_connections);
  co_return report;
}

}  // namespace fipd
