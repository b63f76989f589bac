// What is not urgent, and what is only looked at: others' chains, warnings, previews.
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/reconcile/reconciler.h"
#include "daemon/reconcile/warnings.h"

namespace fipd {
namespace {

// A neighbour may rewrite its chains many times a second.
constexpr std::chrono::seconds kBetweenLooks{1};
constexpr std::size_t kMostWarnings =
    20;  // about neighbours, whose chains are as many as they like

}  // namespace

Reconciler::Clock::time_point Reconciler::next_look() const {
  return look_at_neighbours_ ? looked_at_ + kBetweenLooks : Clock::time_point::max();
}

boost::asio::awaitable<void> Reconciler::look_at_neighbours() {
  look_at_neighbours_ = false;
  looked_at_ = Clock::now();
  auto work = [&table = kernel_.nat] { return table.neighbours(); };
  auto found = co_await kernel_thread_.run(std::move(work));
  if (!found) {
    spdlog::warn("cannot look at others' nftables chains: {}", found.error().message());
    co_return;
  }
  neighbours_ = std::move(*found);
}

std::vector<std::string> Reconciler::warnings() const {
  std::vector<std::string> all = forwarding_.warnings(host_, bindings_);
  for (std::string& each : metadata_.warnings(host_)) all.push_back(std::move(each));
  const bool metadata = !rules_.ruleset.metadata.listen.empty();
  std::size_t left_out = 0;
  for (const nat::Neighbour& each : neighbours_) {
    std::string text = warning_of(each, metadata);
    if (text.empty()) continue;
    if (all.size() < kMostWarnings) {
      all.push_back(std::move(text));
    } else {
      ++left_out;
    }
  }
  if (left_out > 0) all.push_back(fmt::format("and {} more chain(s) of others", left_out));
  return all;
}

Preview Reconciler::preview(const PreviewRequest& request) {
  const auto interface_to = [this](const IpAddress& fixed) {
    return kernel_.network.interface_to(fixed);
  };
  const auto lingers = [this](const IpAddress& floating) {
    const auto at = withdrawing_.find(floating);
    return at != withdrawing_.end() && !at->second.released && Clock::now() < at->second.deadline;
  };
  const auto steer = [this](const Binding& binding) {
    return steering_.of(binding, Clock::now()).steer;
  };
  const PreviewView view{bindings_,    nat_,         routes_, host_, rules_.derive,
                         plan_rules(), interface_to, lingers, steer};
  Preview out = fipd::preview(request, view);
  const nat::RulesetOptions have = ruleset();
  out.needs_forwards &= !have.forwards;
  out.needs_limits &= !have.limits;
  return out;
}

}  // namespace fipd
