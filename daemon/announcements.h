#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "bgp/bird_client.h"
#include "bgp/bird_layout.h"
#include "bgp/bird_watch.h"
#include "bgp/route_table.h"
#include "daemon/base/address.h"
#include "daemon/base/signal.h"
#include "daemon/diagnosis.h"
#include "daemon/exports.h"
#include "daemon/finding.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"
#include "daemon/state/address_set.h"
#include "daemon/withdrawals.h"

namespace fipd {

// Of what BIRD has, only what these say is ours counts.
struct OurRoutes {
  std::function<bool(const IpAddress&)> routed;
  std::function<std::size_t()> count;
  std::function<std::vector<IpAddress>()> all;
  std::function<std::uint32_t(const IpAddress&)> metric;
  // Other people's routes in our kernel table.
  std::function<const std::vector<bgp::StrangerRoute>&()> strangers;
  // Whether other hosts announce it on purpose.
  std::function<bool(const IpAddress&)> shared;
  // Called when others are first seen to announce it.
  std::function<void(const IpAddress&)> elsewhere;
  // Called when a new one is announced and nobody else was seen to announce it before.
  std::function<void(const IpAddress&)> alone;
  unsigned protocol = 172;  // in the kernel, and as krt_source
};

struct RefreshTimes {
  std::chrono::milliseconds settle{200};  // BIRD learns of a route by netlink
  std::chrono::milliseconds every{10'000};
  std::chrono::milliseconds thorough{
      60'000};                            // also where BIRD's counters say that nothing changed
  std::chrono::milliseconds retry{1000};  // after a refresh that failed
  std::size_t crowd = 20'000;             // with more routes than these, a pause between refreshes
  std::chrono::milliseconds crowd_pause{5000};
  std::chrono::milliseconds nudge_pause{5000};  // between two nudges
  // A peer whose session is down may keep our routes for its graceful restart time, which is 120 s
  // where nobody set it.
  std::chrono::milliseconds kept_by_peers{120'000};
};

// One address, as far as is known.
struct Announced {
  std::vector<std::string> sessions;  // that have it
  bool learned = false;               // it is in BIRD's table
  std::string reason;                 // why not, or not to all; empty where all have it
  std::vector<std::string> others;    // who else announces it
};

// What BIRD has and tells its peers of our addresses: all of it, as of the last refresh in bulk,
// and of one address, asked just now; and what stands in the way of the rest. What is not known is
// taken for not announced. Nudges a BIRD that has lost events of the kernel. One thread.
class Announcements final : public bgp::BirdObserver {
 public:
  using Clock = std::chrono::steady_clock;

  Announcements(boost::asio::any_io_executor executor, bgp::BirdClient& client, EventHub& events,
                OurRoutes routes, bgp::BirdHints hints = {}, RefreshTimes times = {});

  // Asks BIRD now, and remembers the answer.
  boost::asio::awaitable<Result<std::vector<std::string>>> ask(IpAddress floating);
  // The same, and where a session does not have it, why.
  boost::asio::awaitable<void> examine(IpAddress floating);

  [[nodiscard]] Announced of(const IpAddress& floating) const;
  [[nodiscard]] bool is_announced(const IpAddress& floating) const {
    return exports_.has(floating);
  }
  // How many of our addresses at least one session has.
  [[nodiscard]] std::size_t announced() const { return exports_.size(); }
  // How many are in BIRD's table, and no session has them.
  [[nodiscard]] std::size_t only_learned() const;
  // The sessions that can have that one.
  [[nodiscard]] std::vector<std::string> sessions_for(const IpAddress& floating) const;
  // Of those that can have ours, and of those that can have that one, the established ones.
  [[nodiscard]] std::vector<std::string> established() const;
  [[nodiscard]] std::vector<std::string> established_for(const IpAddress& floating) const;
  [[nodiscard]] BirdReport report() const;
  // What an operator should look into, in sentences.
  [[nodiscard]] std::vector<std::string> problems() const;
  void forget(const IpAddress& floating);

  // A route was just written, or is gone.
  // About to be bound here. Who else announces it is asked now: once ours is out, a router that
  // prefers ours hides the other's within a millisecond.
  void note_coming(const IpAddress& floating);
  void note_routed(const IpAddress& floating);
  // Follows it until no session has it; gives up after `linger`.
  void follow_withdrawal(const IpAddress& floating, std::chrono::milliseconds linger);
  void on_released(std::function<void(const IpAddress&)> call) { released_ = std::move(call); }

  // Routes were written, or adopted: refreshes when BIRD has had the time to learn them.
  void routes_changed();
  void bird_changed(const bgp::BirdSnapshot& snapshot) override;
  void bird_seen(const bgp::BirdSnapshot& snapshot) override;

  // Each runs for ever.
  boost::asio::awaitable<void> run_refreshes();
  boost::asio::awaitable<void> run_news();
  boost::asio::awaitable<void> run_withdrawals() { return withdrawals_.run(); }

 private:
  struct Changed {
    std::vector<IpAddress> first;  // as many as are told one by one
    std::size_t count = 0;
    void note(const IpAddress& floating);
  };
  // A refresh under way, which an answer to ask() must reach, too.
  struct Round {
    Exports exports;
    AddressHashSet seen;
    Changed announced;
    Changed withdrawn;
  };
  // A route that was written just now: asked for singly until a session has it.
  struct News {
    IpAddress floating;
    Clock::time_point since;
    Clock::time_point next;
    std::chrono::milliseconds pause{2};
    bool coming = false;  // not routed yet
  };
  struct Seen {
    Clock::time_point when;
    std::vector<std::string> others;
  };
  // What the survey has found of one address that a session lacks, and of how many alike.
  struct Traits;
  struct Survey;
  using Others = boost::unordered_flat_map<IpAddress, std::vector<std::string>, AddressHash>;

  // Refreshing (announcements_refresh.cc).
  void want(Clock::time_point when);
  [[nodiscard]] Clock::time_point next_refresh() const;
  [[nodiscard]] bool nothing_changed() const;
  boost::asio::awaitable<void> refresh();
  boost::asio::awaitable<Outcome> ask_sessions();
  boost::asio::awaitable<void> take(std::string session, std::vector<IpAddress> addresses);
  boost::asio::awaitable<void> find_withdrawn();
  void tell(const Changed& announced, const Changed& withdrawn);

  // Why not (announcements_survey.cc).
  boost::asio::awaitable<Outcome> survey();
  boost::asio::awaitable<void> find_missing(Survey& survey);
  boost::asio::awaitable<Outcome> see_tables(Survey& survey);
  boost::asio::awaitable<Outcome> judge_all(Survey& survey);
  boost::asio::awaitable<Result<Finding>> judge(IpAddress floating);
  boost::asio::awaitable<void> nudge();
  // A stranger's route to it that stands before ours in our kernel table.
  [[nodiscard]] std::optional<bgp::StrangerRoute> stranger_before(const IpAddress& floating) const;
  void tell_missing();

  // Who else (announcements_others.cc).
  boost::asio::awaitable<Outcome> look_for_others();
  boost::asio::awaitable<Outcome> look_for_others_of(IpAddress floating);
  void note_others(const IpAddress& floating, std::vector<std::string> others);
  [[nodiscard]] std::vector<std::string> watched_tables() const;

  boost::asio::awaitable<void> hear_of(News news);
  boost::asio::awaitable<void> see_coming(IpAddress floating);
  boost::asio::awaitable<void> see_first(IpAddress floating);
  void note_announced(const IpAddress& floating, const std::vector<std::string>& sessions);
  void note_released(const IpAddress& floating, Clock::duration took);
  [[nodiscard]] std::string reason_of(const IpAddress& floating,
                                      const std::vector<std::string>& having) const;
  [[nodiscard]] bool peers_may_keep(const bgp::BirdSnapshot& now) const;
  [[nodiscard]] std::uint64_t traffic(bool imports) const;

  boost::asio::any_io_executor executor_;
  bgp::BirdClient& client_;
  EventHub& events_;
  OurRoutes routes_;
  bgp::BirdHints hints_;
  RefreshTimes times_;

  Exports exports_;
  Findings findings_;
  Others others_;
  std::optional<Round> round_;
  AddressHashSet told_;  // what the last refresh saw: the next one's events are the difference
  bgp::BirdSnapshot snapshot_;
  bgp::BirdLayout layout_;
  std::vector<bgp::BirdSession> established_;
  // When a session that can have ours was last seen established.
  std::map<std::string, Clock::time_point> lost_;
  std::uint64_t bird_changes_ = 0;
  std::string refresh_problem_;
  std::vector<std::string> problems_told_;

  Clock::time_point due_ = Clock::time_point::max();
  Clock::time_point changed_;
  Clock::time_point refreshed_;
  Clock::time_point thorough_;  // the last refresh that was not skipped
  Clock::duration took_{};
  // Of our own, and BIRD's counters: as long as they are the same, nothing has changed.
  std::uint64_t changes_ = 0;
  std::uint64_t changes_seen_ = 0;
  std::uint64_t exports_seen_ = 0;
  std::uint64_t imports_seen_ = 0;
  std::uint64_t changes_watched_ = 0;
  Clock::time_point others_next_;
  Signal wanted_;

  // Written and not yet seen to be announced, since when.
  boost::unordered_flat_map<IpAddress, Clock::time_point, AddressHash> pending_;
  std::deque<News> news_;
  boost::unordered_flat_map<IpAddress, Seen, AddressHash> coming_;  // who had it before us
  Signal news_arrived_;
  // Those for which BIRD was nudged: where they are missing still, it is something else.
  AddressHashSet nudged_;
  std::vector<IpAddress> unlearned_;
  bool too_fresh_ = false;  // some were left out of the last survey
  Clock::time_point nudge_next_;
  std::string nudge_problem_;
  std::size_t missing_told_ = 0;
  BirdCounters counters_;

  Withdrawals withdrawals_;
  std::function<void(const IpAddress&)> released_;
};

}  // namespace fipd
