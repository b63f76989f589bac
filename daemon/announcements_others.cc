// Other hosts that announce one of ours, and what is reported of BIRD.
#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/announcements.h"

namespace fipd {
namespace {

// Of more, the gateway must do: each further question costs BIRD some 30 us.
constexpr std::size_t kMostAsked = 64;
constexpr std::size_t kMostKept = 10'000;
// A look at all that BGP brought occupies BIRD for one part of the time at most in so many.
constexpr int kRestOfLook = 20;

}  // namespace

// Where a session puts what it brings.
std::vector<std::string> Announcements::watched_tables() const {
  std::vector<std::string> tables;
  for (const bgp::BirdSession& session : layout_.sessions()) {
    for (const bgp::BirdChannel& channel : session.channels) {
      const bool known = std::find(tables.begin(), tables.end(), channel.table) != tables.end();
      if (channel.can_import() && !known) tables.push_back(channel.table);
    }
  }
  return tables;
}

boost::asio::awaitable<Outcome> Announcements::look_for_others() {
  const std::vector<std::string> tables = watched_tables();
  const std::uint64_t imports = traffic(true);
  const std::uint64_t changes = changes_;
  if (tables.empty()) {
    others_.clear();
    imports_seen_ = imports;
    co_return success();
  }
  const Clock::time_point started = Clock::now();
  const bool old = started > thorough_ + times_.thorough;
  if (imports == imports_seen_ && changes == changes_watched_ && !old) co_return success();
  if (started < others_next_) {
    want(others_next_);
    co_return success();
  }
  boost::unordered_flat_map<IpAddress, std::vector<bgp::BirdRoute>, AddressHash> found;
  const auto see = [this, &found](const bgp::BirdRoute& route) {
    const IpAddress& floating = route.prefix->address();
    if (found.size() < kMostKept && routes_.routed(floating)) found[floating].push_back(route);
  };
  for (const std::string& table : tables) {
    const Result<bool> seen = co_await client_.visit_learned_by_bgp(table, see);
    if (!seen) co_return fail(seen.error());
  }
  std::size_t asked = 0;
  for (auto& [floating, routes] : found) {
    if (++asked > kMostAsked) break;
    Result<std::vector<bgp::BirdRoute>> detailed = co_await client_.routes_of(floating);
    if (detailed) routes = std::move(*detailed);
  }
  std::vector<IpAddress> gone;
  for (const auto& [floating, others] : others_) {
    if (!found.contains(floating)) gone.push_back(floating);
  }
  for (const IpAddress& floating : gone) note_others(floating, {});
  for (const auto& [floating, routes] : found) note_others(floating, others_in(routes, layout_));
  imports_seen_ = imports;
  changes_watched_ = changes;
  others_next_ = Clock::now() + (Clock::now() - started) * kRestOfLook;
  co_return success();
}

boost::asio::awaitable<Outcome> Announcements::look_for_others_of(IpAddress floating) {
  if (watched_tables().empty()) co_return success();
  const Result<std::vector<bgp::BirdRoute>> routes = co_await client_.routes_of(floating);
  if (!routes) co_return fail(routes.error());
  note_others(floating, others_in(*routes, layout_));
  co_return success();
}

void Announcements::note_others(const IpAddress& floating, std::vector<std::string> others) {
  const auto at = others_.find(floating);
  const bool known = at != others_.end();
  if (others.empty()) {
    if (!known) return;
    others_.erase(at);
    events_.publish("duplicate", floating,
                    fmt::format("{} is no longer announced by others", floating));
    return;
  }
  if (!routes_.routed(floating) || (known && at->second == others)) return;
  const std::string text =
      fmt::format("{} is also announced by {}", floating, fmt::join(others, ", "));
  others_.insert_or_assign(floating, std::move(others));
  if (routes_.elsewhere) routes_.elsewhere(floating);
  if (routes_.shared && routes_.shared(floating)) return;
  spdlog::warn("{}", text);
  events_.publish("duplicate", floating, text);
}

BirdReport Announcements::report() const {
  BirdReport report;
  report.connected = snapshot_.connected;
  report.version = snapshot_.version;
  report.problem = snapshot_.problem;
  report.problems = problems();
  for (const bgp::BirdProtocol& each : layout_.kernels()) {
    report.kernel_protocols.push_back({each.name, each.state});
  }
  for (const bgp::BirdSession& each : snapshot_.sessions) {
    SessionReport session;
    session.name = each.name;
    session.neighbor = each.neighbor;
    session.neighbor_as = each.neighbor_as;
    session.state = each.state;
    session.info = said_of(each);
    session.since = each.since;
    session.last_error = each.last_error;
    session.established = each.established();
    session.carries = layout_.session(each.name) != nullptr;
    session.exported = exports_.had_by(each.name);
    report.sessions.push_back(std::move(session));
  }
  for (std::size_t i = 0; i < kCauses; ++i) {
    report.missing.emplace_back(to_string(static_cast<Cause>(i)), findings_.counts()[i]);
  }
  for (const auto& [floating, others] : others_) {
    const bool meant = routes_.shared && routes_.shared(floating);
    if (!meant) ++report.duplicates;
  }
  if (report.duplicates > 0) {
    report.problems.push_back(fmt::format(
        "{} floating IP(s) are announced by other hosts as well: fipctl ls says by whom",
        report.duplicates));
  }
  report.counters = counters_;
  return report;
}

}  // namespace fipd
