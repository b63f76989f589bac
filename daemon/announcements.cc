#include "daemon/announcements.h"

#include <algorithm>
#include <utility>

#include <boost/asio/steady_timer.hpp>
#include <spdlog/spdlog.h>

namespace fipd {
namespace {

// More new routes than these wait for the next refresh in bulk.
constexpr std::size_t kMostNews = 64;
constexpr std::size_t kMostPending = 10'000;
constexpr std::chrono::milliseconds kLongestBetweenNews{50};
// From a request to its route; what was asked for longer ago is asked anew.
constexpr std::chrono::milliseconds kComing{5000};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string in_milliseconds(std::chrono::steady_clock::duration took) {
  return fmt::format("{} ms", std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

}  // namespace

Announcements::Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client,
                             EventHub& events, OurRoutes routes, bgp::BirdHints hints,
                             RefreshTimes times)
    : executor_(executor),
      client_(client),
      events_(events),
      routes_(std::move(routes)),
      hints_(std::move(hints)),
      times_(times),
      wanted_(executor),
      news_arrived_(executor),
      withdrawals_(executor, client,
                   [this](const bgp::BirdSnapshot& now) { return peers_may_keep(now); }) {
  withdrawals_.on_released(
      [this](const IpAddress& floating, Clock::duration took) { note_released(floating, took); });
}

boost::asio::awaitable<Result<std::vector<std::string>>> Announcements::ask(IpAddress floating) {
  Result<std::vector<std::string>> sessions = co_await client_.exported_by(floating);
  if (sessions && routes_.routed(floating)) {
    exports_.set(floating, *sessions);
    if (round_) round_->exports.set(floating, *sessions);
    if (!sessions->empty()) note_announced(floating, *sessions);
  } else {
    forget(floating);
  }
  co_return sessions;
}

boost::asio::awaitable<void> Announcements::examine(IpAddress floating) {
  const Result<std::vector<std::string>> having = co_await ask(floating);
  if (!having || !routes_.routed(floating)) co_return;
  const std::vector<const bgp::BirdSession*> sessions = layout_.sessions_for(floating);
  bool everywhere = !sessions.empty();
  for (const bgp::BirdSession* each : sessions) {
    everywhere = everywhere && contains(*having, each->name);
  }
  if (everywhere) {
    findings_.forget(floating);
    co_return;
  }
  Result<Finding> finding = co_await judge(floating);
  if (!finding || !routes_.routed(floating)) co_return;
  finding->nowhere = having->empty();
  findings_.set(floating, *finding);
  // The next refresh nudges BIRD.
  if (finding->cause == Cause::kNotLearned) want(Clock::now() + times_.settle);
}

void Announcements::forget(const IpAddress& floating) {
  exports_.forget(floating);
  findings_.forget(floating);
  others_.erase(floating);
  pending_.erase(floating);
  if (round_) round_->exports.forget(floating);
}

Announced Announcements::of(const IpAddress& floating) const {
  Announced announced;
  announced.sessions = exports_.having(floating);
  const Finding* finding = findings_.find(floating);
  announced.learned = !announced.sessions.empty() || (finding != nullptr && finding->learned);
  announced.reason = reason_of(floating, announced.sessions);
  const auto others = others_.find(floating);
  if (others != others_.end()) announced.others = others->second;
  return announced;
}

std::string Announcements::reason_of(const IpAddress& floating,
                                     const std::vector<std::string>& having) const {
  if (!snapshot_.connected) return "BIRD: " + snapshot_.problem;
  const bool failing = client_.problem() != snapshot_.problem && !client_.problem().empty();
  if (failing) return "BIRD: " + client_.problem();
  const std::vector<const bgp::BirdSession*> sessions = layout_.sessions_for(floating);
  const bgp::BirdSession* missing = nullptr;
  for (const bgp::BirdSession* each : sessions) {
    if (contains(having, each->name)) continue;
    if (missing == nullptr || each->established()) missing = each;
  }
  if (missing == nullptr && !sessions.empty()) return "";
  if (snapshot_.recovering) return snapshot_.problem;
  const Finding* finding = findings_.find(floating);
  // A finding may be older than the last look at the sessions.
  const bool fits =
      finding != nullptr && !finding->text.empty() &&
      (finding->cause != Cause::kSessionDown || (missing != nullptr && !missing->established()));
  if (fits && !established_.empty()) return finding->text;
  if (missing != nullptr && !missing->established()) {
    return fmt::format("{}session {} is {}: {}",
                       established_.empty() ? "no BGP session is established: " : "", missing->name,
                       missing->state, said_of(*missing));
  }
  if (fits) return finding->text;
  if (missing == nullptr) return "no BGP session of BIRD takes our routes";
  if (!refresh_problem_.empty()) return "BIRD: " + refresh_problem_;
  return having.empty() ? "not announced yet"
                        : fmt::format("not announced to {} yet", missing->name);
}

std::size_t Announcements::only_learned() const {
  std::size_t learned = 0;
  for (const Findings::Group& group : findings_.groups()) {
    if (group.finding.learned && group.finding.nowhere) learned += group.count;
  }
  return learned;
}

std::vector<std::string> Announcements::sessions_for(const IpAddress& floating) const {
  std::vector<std::string> names;
  for (const bgp::BirdSession* each : layout_.sessions_for(floating)) names.push_back(each->name);
  return names;
}

std::vector<std::string> Announcements::established() const {
  std::vector<std::string> names;
  for (const bgp::BirdSession& each : established_) names.push_back(each.name);
  return names;
}

std::vector<std::string> Announcements::established_for(const IpAddress& floating) const {
  std::vector<std::string> names;
  for (const bgp::BirdSession& each : established_) {
    if (bgp::carries(each, floating)) names.push_back(each.name);
  }
  return names;
}

bool Announcements::peers_may_keep(const bgp::BirdSnapshot& now) const {
  const Clock::time_point time = Clock::now();
  const auto is_up = [&](const bgp::BirdSession& session) {
    return std::any_of(now.sessions.begin(), now.sessions.end(), [&](const auto& each) {
      return each.name == session.name && each.established();
    });
  };
  return std::any_of(layout_.sessions().begin(), layout_.sessions().end(),
                     [&](const bgp::BirdSession& each) {
                       if (is_up(each)) return false;
                       // Fallen since the last look, or before it.
                       const auto lost = lost_.find(each.name);
                       return each.established() ||
                              (lost != lost_.end() && time < lost->second + times_.kept_by_peers);
                     });
}

// Routes.

void Announcements::note_coming(const IpAddress& floating) {
  if (news_.size() >= kMostNews || established_.empty() || watched_tables().empty()) return;
  const Clock::time_point now = Clock::now();
  News news{floating, now, now};
  news.coming = true;
  news_.push_back(news);
  news_arrived_.notify_all();
}

void Announcements::note_routed(const IpAddress& floating) {
  const Clock::time_point now = Clock::now();
  ++changes_;
  // Its translation changed, not its route.
  if (exports_.has(floating)) return;
  if (pending_.size() < kMostPending) pending_.insert_or_assign(floating, now);
  if (news_.size() >= kMostNews || established_.empty()) return;
  news_.push_back({floating, now, now});
  news_arrived_.notify_all();
}

boost::asio::awaitable<void> Announcements::run_news() {
  for (;;) {
    const auto first = std::min_element(
        news_.begin(), news_.end(), [](const News& a, const News& b) { return a.next < b.next; });
    if (first == news_.end()) {
      co_await news_arrived_.wait();
      continue;
    }
    if (Clock::now() < first->next) {
      co_await news_arrived_.wait(first->next);
      continue;
    }
    const News news = *first;
    news_.erase(first);
    co_await hear_of(news);
  }
}

boost::asio::awaitable<void> Announcements::see_coming(IpAddress floating) {
  const Result<std::vector<bgp::BirdRoute>> routes = co_await client_.routes_of(floating);
  if (!routes) co_return;  // it is asked again when it has its route
  std::vector<std::string> others = others_in(*routes, layout_);
  if (others.empty()) co_return;
  if (coming_.size() >= kMostNews) coming_.clear();
  Seen seen{Clock::now(), std::move(others)};
  coming_.insert_or_assign(floating, std::move(seen));
}

boost::asio::awaitable<void> Announcements::see_first(IpAddress floating) {
  const auto at = coming_.find(floating);
  const bool fresh = at != coming_.end() && Clock::now() < at->second.when + kComing;
  std::vector<std::string> others;
  if (fresh) others = std::move(at->second.others);
  coming_.erase(floating);
  if (fresh) {
    note_others(floating, std::move(others));
    co_return;
  }
  const Outcome looked = co_await look_for_others_of(floating);
  static_cast<void>(looked);  // it is looked at again
}

boost::asio::awaitable<void> Announcements::hear_of(News news) {
  if (news.coming) {
    co_await see_coming(news.floating);
    co_return;
  }
  if (!routes_.routed(news.floating)) co_return;
  if (news.next == news.since) co_await see_first(news.floating);
  const Result<std::vector<std::string>> sessions = co_await ask(news.floating);
  if (sessions && !sessions->empty()) {
    if (others_.contains(news.floating)) co_return;
    const Outcome looked = co_await look_for_others_of(news.floating);
    const bool alone = looked && !others_.contains(news.floating);
    if (alone && routes_.alone) routes_.alone(news.floating);
    co_return;
  }
  // Then the refresh sees it, or says why not.
  const Clock::time_point now = Clock::now();
  if (!sessions || now > news.since + times_.settle) co_return;
  news.next = now + news.pause;
  news.pause = std::min(news.pause * 2, kLongestBetweenNews);
  news_.push_back(news);
}

void Announcements::note_announced(const IpAddress& floating,
                                   const std::vector<std::string>& sessions) {
  const auto pending = pending_.find(floating);
  const bool fresh = round_ ? round_->seen.insert(floating).second && !told_.contains(floating)
                            : told_.insert(floating).second;
  if (pending == pending_.end()) return;
  const Clock::duration took = Clock::now() - pending->second;
  pending_.erase(pending);
  counters_.announce.note(took);
  if (!fresh) return;
  const std::string text = fmt::format("announced {} to {} after {}", floating,
                                       fmt::join(sessions, ", "), in_milliseconds(took));
  spdlog::debug("{}", text);
  events_.publish("announced", floating, text);
}

void Announcements::follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger) {
  forget(floating);
  ++changes_;
  withdrawals_.follow(floating, linger);
}

void Announcements::note_released(const IpAddress& floating, Clock::duration took) {
  counters_.withdraw.note(took);
  // A round walks told_: there it is told of with the others.
  if (!round_ && told_.erase(floating) > 0) {
    const std::string text =
        fmt::format("withdrawn {}: no session has it after {}", floating, in_milliseconds(took));
    spdlog::debug("{}", text);
    events_.publish("withdrawn", floating, text);
  }
  if (released_) released_(floating);
}

void Announcements::routes_changed() {
  changed_ = Clock::now();
  ++changes_;
  want(changed_ + times_.settle);
}

// BIRD.

void Announcements::bird_changed(const bgp::BirdSnapshot& snapshot) {
  const std::string problem_before = snapshot_.problem;
  bird_seen(snapshot);
  ++bird_changes_;
  routes_changed();
  const std::string& problem = snapshot.problem;
  if (problem != problem_before && !problem.empty()) spdlog::warn("BIRD: {}", problem);
  if (problem != problem_before && problem.empty()) {
    spdlog::info("BIRD {} answers", snapshot.version);
  }
  std::vector<std::string> problems = layout_.problems();
  for (const std::string& each : problems) {
    if (snapshot.connected && !contains(problems_told_, each)) spdlog::warn("BIRD: {}", each);
  }
  problems_told_ = std::move(problems);
  std::string text = snapshot.connected ? fmt::format("BIRD {}", snapshot.version) : "no BIRD";
  for (const bgp::BirdSession& session : snapshot.sessions) {
    text += fmt::format("; {} {} {}", session.name, session.state, session.info);
  }
  if (!problem.empty()) text += "; " + problem;
  events_.publish("bird", std::nullopt, std::move(text));
}

void Announcements::bird_seen(const bgp::BirdSnapshot& snapshot) {
  snapshot_ = snapshot;
  std::vector<bgp::BirdProtocol> protocols = snapshot.others;
  protocols.insert(protocols.end(), snapshot.sessions.begin(), snapshot.sessions.end());
  layout_ = bgp::BirdLayout(std::move(protocols), hints_);
  const Clock::time_point time = Clock::now();
  std::vector<bgp::BirdSession> now;
  for (const bgp::BirdSession& session : layout_.sessions()) {
    // Of one that was down from the start nobody knows for how long.
    if (session.established()) now.push_back(session);
    if (session.established()) lost_.insert_or_assign(session.name, time);
    if (!session.established()) lost_.try_emplace(session.name, time);
  }
  const auto since = [](const std::vector<bgp::BirdSession>& sessions, const std::string& name) {
    const auto at = std::find_if(sessions.begin(), sessions.end(),
                                 [&name](const auto& session) { return session.name == name; });
    return at == sessions.end() ? std::string() : at->since;
  };
  // One that ask() has heard of first stays; one that was made anew begins with nothing.
  exports_.keep([&](const std::string& name) {
    const std::string before = since(established_, name);
    const std::string after = since(now, name);
    return !after.empty() && (before.empty() || before == after);
  });
  established_ = std::move(now);
  // Somebody else than fipd changed what BIRD has: no hurry, but before its time.
  const bool moved = traffic(false) != exports_seen_ || traffic(true) != imports_seen_;
  if (moved && refreshed_ != Clock::time_point()) {
    want(std::max(time, refreshed_ + times_.every / 4));
  }
}

}  // namespace fipd
