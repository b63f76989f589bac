// What stands between our routes and the sessions that lack them: in bulk by kinds, one of each
// kind looked into closely.
#include <algorithm>
#include <tuple>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

#include "daemon/announcements.h"

namespace fipd {
namespace {

constexpr std::size_t kSlice = 1000;
// More kinds than a handful are a table full of strangers: the rest has no finding of its own.
constexpr std::size_t kMostKinds = 32;
// Sessions whose presence tells one kind from another.
constexpr std::size_t kMostTables = 16;
// Somebody has to change BIRD's configuration first.
constexpr std::chrono::seconds kAfterRefusal{60};
// Of 50,000 new routes BIRD learns the last after 0.4 s: that is no loss.
constexpr int kPatience = 5;
// After a nudge BIRD reads 50,000 routes in 91 ms.
constexpr std::chrono::milliseconds kRead{300};

}  // namespace

// Whatever makes two addresses two kinds.
struct Announcements::Traits {
  bool v4 = true;
  bool filtered = false;
  bool stranger = false;
  bool read_since = false;
  bool nowhere = true;
  std::uint32_t present = 0;  // a bit for each table
  std::uint32_t best = 0;
  std::vector<std::string> having;

  friend bool operator<(const Traits& a, const Traits& b) {
    return std::tie(a.v4, a.filtered, a.stranger, a.read_since, a.nowhere, a.present, a.best,
                    a.having) < std::tie(b.v4, b.filtered, b.stranger, b.read_since, b.nowhere,
                                         b.present, b.best, b.having);
  }
};

struct Announcements::Survey {
  boost::unordered_flat_map<IpAddress, Traits, AddressHash> missing;
};

boost::asio::awaitable<Outcome> Announcements::survey() {
  Survey survey;
  unlearned_.clear();
  too_fresh_ = false;
  co_await find_missing(survey);
  if (survey.missing.empty()) {
    findings_ = Findings();
    nudged_.clear();
    nudge_problem_.clear();
    co_return success();
  }
  if (Outcome seen = co_await see_tables(survey); !seen) co_return seen;
  co_return co_await judge_all(survey);
}

boost::asio::awaitable<void> Announcements::find_missing(Survey& survey) {
  const bool all_have_all = !layout_.sessions().empty() &&
                            std::all_of(layout_.sessions().begin(), layout_.sessions().end(),
                                        [this](const bgp::BirdSession& each) {
                                          return exports_.had_by(each.name) == routes_.count();
                                        });
  if (all_have_all || routes_.count() == 0) co_return;
  const std::vector<IpAddress> ours = routes_.all();
  AddressHashSet strangers;
  if (routes_.strangers) {
    for (const bgp::StrangerRoute& each : routes_.strangers()) {
      if (each.destination.is_host()) strangers.insert(each.destination.address());
    }
  }
  const Clock::time_point settled = Clock::now() - times_.settle;
  const std::size_t sessions4 = layout_.sessions_for(boost::asio::ip::address_v4()).size();
  const std::size_t sessions6 = layout_.sessions_for(boost::asio::ip::address_v6()).size();
  std::size_t done = 0;
  for (const IpAddress& floating : ours) {
    const std::size_t sessions = floating.is_v4() ? sessions4 : sessions6;
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    if (exports_.count(floating) >= std::max<std::size_t>(sessions, 1)) continue;
    const auto pending = pending_.find(floating);
    if (pending != pending_.end() && pending->second > settled) {
      too_fresh_ = true;
      continue;
    }
    Traits traits;
    traits.v4 = floating.is_v4();
    traits.stranger = strangers.contains(floating) && stranger_before(floating).has_value();
    traits.read_since = nudged_.contains(floating);
    traits.having = exports_.having(floating);
    traits.nowhere = traits.having.empty();
    survey.missing.emplace(floating, std::move(traits));
  }
}

boost::asio::awaitable<Outcome> Announcements::see_tables(Survey& survey) {
  const std::vector<bgp::BirdProtocol> kernels = layout_.kernels();
  const std::vector<std::string> tables = layout_.tables();
  for (const bgp::BirdProtocol& kernel : kernels) {
    if (kernel.channels.empty()) continue;
    const std::string own_table = kernel.channels.front().table;
    for (std::size_t i = 0; i < std::min(tables.size(), kMostTables); ++i) {
      const auto see = [&survey, i](const bgp::BirdRoute& route) {
        const auto at = survey.missing.find(route.prefix->address());
        if (at == survey.missing.end()) return;
        at->second.present |= 1U << i;
        if (route.best) at->second.best |= 1U << i;
      };
      const Result<bool> seen = co_await client_.visit_routes(tables[i], kernel.name, see);
      if (!seen) co_return fail(seen.error());
    }
    const auto see_filtered = [&survey](const bgp::BirdRoute& route) {
      const auto at = survey.missing.find(route.prefix->address());
      if (at != survey.missing.end()) at->second.filtered = true;
    };
    const Result<bool> seen = co_await client_.visit_filtered(own_table, kernel.name, see_filtered);
    if (!seen) co_return fail(seen.error());
  }
  co_return success();
}

boost::asio::awaitable<Outcome> Announcements::judge_all(Survey& survey) {
  std::map<Traits, std::vector<IpAddress>> kinds;
  std::size_t done = 0;
  for (auto& [floating, traits] : survey.missing) {
    if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
    if (kinds.size() < kMostKinds || kinds.contains(traits)) kinds[traits].push_back(floating);
  }
  Findings findings;
  AddressHashSet still;
  for (const auto& [traits, floatings] : kinds) {
    Result<Finding> finding = co_await judge(floatings.front());
    if (!finding) co_return fail(std::move(finding).error());
    finding->nowhere = traits.nowhere;
    for (const IpAddress& floating : floatings) {
      if (++done % kSlice == 0) co_await boost::asio::post(executor_, boost::asio::use_awaitable);
      if (!routes_.routed(floating)) continue;
      findings.set(floating, *finding);
      if (finding->cause == Cause::kNotLearned) unlearned_.push_back(floating);
      if (traits.read_since) still.insert(floating);
    }
  }
  findings_ = std::move(findings);
  nudged_ = std::move(still);
  tell_missing();
  co_return success();
}

std::optional<bgp::StrangerRoute> Announcements::stranger_before(const IpAddress& floating) const {
  if (!routes_.strangers || !routes_.metric) return std::nullopt;
  const std::uint32_t metric = routes_.metric(floating);
  for (const bgp::StrangerRoute& each : routes_.strangers()) {
    const bool same = each.destination.is_host() && each.destination.address() == floating;
    if (same && each.metric < metric) return each;
  }
  return std::nullopt;
}

boost::asio::awaitable<Result<Finding>> Announcements::judge(IpAddress floating) {
  Evidence evidence;
  evidence.address = floating;
  evidence.exported = exports_.having(floating);
  evidence.read_since = nudged_.contains(floating);
  evidence.stranger = stranger_before(floating);
  Result<std::vector<bgp::BirdRoute>> routes = co_await client_.routes_of(floating);
  if (!routes) co_return fail(std::move(routes).error());
  evidence.routes = std::move(*routes);
  const bool learned =
      std::any_of(evidence.routes.begin(), evidence.routes.end(),
                  [this](const bgp::BirdRoute& each) { return is_ours(each, layout_); });
  if (!learned) {
    Result<std::vector<bgp::BirdRoute>> filtered = co_await client_.filtered_of(floating);
    if (!filtered) co_return fail(std::move(filtered).error());
    evidence.filtered = std::move(*filtered);
  }
  const std::vector<bgp::BirdSession> established = established_;
  for (const bgp::BirdSession& each : established) {
    const auto& have = evidence.exported;
    const bool has = std::find(have.begin(), have.end(), each.name) != have.end();
    if (!learned || has || !bgp::carries(each, floating)) continue;
    const Result<bool> passes = co_await client_.would_export(each.name, floating);
    if (!passes) co_return fail(passes.error());
    evidence.would_export.emplace_back(each.name, *passes);
    break;  // one suffices for a reason
  }
  co_return diagnose(evidence, layout_, routes_.protocol);
}

// BIRD may have lost the kernel's events: it is made to read the table, and looked at again.
boost::asio::awaitable<void> Announcements::nudge() {
  if (unlearned_.empty()) co_return;
  const Clock::time_point now = Clock::now();
  const Clock::time_point late = now - kPatience * times_.settle;
  const bool due = std::any_of(unlearned_.begin(), unlearned_.end(), [&](const auto& each) {
    const auto pending = pending_.find(each);
    return pending == pending_.end() || pending->second <= late;
  });
  if (!due || now < nudge_next_) {
    want(std::max(nudge_next_, now + kPatience * times_.settle));
    co_return;
  }
  nudge_next_ = Clock::now() + times_.nudge_pause;
  std::vector<std::string> names;
  for (const bgp::BirdProtocol& each : layout_.kernels()) {
    if (is_up(each)) names.push_back(each.name);
  }
  std::string problem;
  for (const std::string& name : names) {
    const Result<bool> nudged = co_await client_.nudge(name);
    if (!nudged) problem = nudged.error().message();
  }
  ++counters_.nudges;
  nudge_problem_ = problem;
  std::string text = fmt::format(
      "BIRD has not learned {} floating IP(s), as {}: made {} read the kernel's table again",
      unlearned_.size(), unlearned_.front(), fmt::join(names, ", "));
  if (!problem.empty()) {
    text = fmt::format("BIRD has not learned {} floating IP(s), as {}, and cannot be nudged: {}",
                       unlearned_.size(), unlearned_.front(), problem);
    nudge_next_ = Clock::now() + kAfterRefusal;
  }
  spdlog::warn("{}", text);
  events_.publish("nudged", std::nullopt, text);
  if (problem.empty()) nudged_.insert(unlearned_.begin(), unlearned_.end());
  unlearned_.clear();
  if (!problem.empty()) co_return;
  boost::asio::steady_timer timer(executor_, kRead);
  co_await timer.async_wait(boost::asio::use_awaitable);
  ++changes_;
  want(Clock::now());
}

void Announcements::tell_missing() {
  if (findings_.size() == missing_told_) return;
  missing_told_ = findings_.size();
  for (const Findings::Group& group : findings_.groups()) {
    const Cause cause = group.finding.cause;
    // The nudge tells of the second, the session itself of the third.
    const bool said =
        cause == Cause::kPending || cause == Cause::kNotLearned || cause == Cause::kSessionDown;
    if (said) continue;
    spdlog::warn("BIRD: {} floating IP(s) not announced{}, as {}: {}", group.count,
                 group.finding.nowhere ? "" : " everywhere", group.example, group.finding.text);
  }
}

std::vector<std::string> Announcements::problems() const {
  std::vector<std::string> problems;
  if (!snapshot_.connected) return problems;  // said already
  problems = layout_.problems();
  if (!nudge_problem_.empty()) problems.push_back(nudge_problem_);
  for (const Findings::Group& group : findings_.groups()) {
    const Cause cause = group.finding.cause;
    const bool said = cause == Cause::kKernelDown || cause == Cause::kSessionDown;
    if (said || group.finding.text.empty()) continue;
    problems.push_back(fmt::format("{} floating IP(s) not announced{}, as {}: {}", group.count,
                                   group.finding.nowhere ? "" : " everywhere", group.example,
                                   group.finding.text));
  }
  return problems;
}

}  // namespace fipd
