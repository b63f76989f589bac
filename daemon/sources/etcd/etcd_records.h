#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/observe/refused_words.h"
#include "daemon/sources/claim_changes.h"
#include "daemon/sources/etcd/etcd_keys.h"
#include "daemon/sources/etcd/etcd_message.h"

namespace fipd {

// What all keys of this host say, and what of it is claimed. A bad value is quarantined: what the
// key said before stands, and problems() names it. Keys that a snapshot lacks are removed only
// where it is to be trusted, and mass removals wait for accept(). A removed key counts for `settle`
// longer: put back until then, nothing happened. Pure; one caller at a time.
class EtcdRecords {
 public:
  using Clock = std::chrono::steady_clock;

  EtcdRecords(EtcdKeys keys, unsigned rank,
              std::chrono::milliseconds settle = std::chrono::milliseconds(0))
      : keys_(std::move(keys)), rank_(rank), settle_(settle) {}

  // No more claims, and no more keys, than this; the others are quarantined.
  void set_limit(std::size_t limit) { limit_ = limit; }

  // All keys at one revision. Not `trusted`: what is missing in it stays, whatever its number.
  [[nodiscard]] ClaimChanges load(std::vector<EtcdPair> pairs, bool trusted, const HoldRule& rule,
                                  Clock::time_point now = {});
  [[nodiscard]] ClaimChanges apply(const EtcdEvent& event, Clock::time_point now = {});
  // The held removals: at once, or with the time that a removed key has.
  [[nodiscard]] ClaimChanges accept();
  [[nodiscard]] ClaimChanges let_go(Clock::time_point now = {});
  // The removals that nobody took back; appends their keys to `gone`.
  [[nodiscard]] ClaimChanges settled(Clock::time_point now, std::vector<std::string>& gone);
  // When the next of them is due.
  [[nodiscard]] std::optional<Clock::time_point> due() const;

  [[nodiscard]] bool knows(std::string_view key) const { return records_.contains(key); }
  // Whether the key says just this, in force.
  [[nodiscard]] bool holds(const EtcdPair& pair) const {
    const auto at = records_.find(pair.key);
    return at != records_.end() && at->second.value == pair.value;
  }
  [[nodiscard]] std::size_t size() const { return claims_; }
  [[nodiscard]] std::size_t held() const { return held_claims_; }
  // Something went since load() that a key, refused for the limit, may have the room of: load()
  // would say.
  [[nodiscard]] bool has_room() const { return room_; }
  // Of keys whose value is bad, at most 20.
  [[nodiscard]] std::vector<std::string> problems() const;
  // The same, each by itself; about kMostRefusedWords at the most, sorted.
  [[nodiscard]] std::vector<RefusedWord> refused() const;
  // What is in force, for the store: by key.
  [[nodiscard]] std::vector<EtcdPair> pairs() const;

 private:
  using Keys = std::set<std::string, std::less<>>;
  struct Claimed {
    IpAddress floating;
    std::string origin;
  };
  struct Known {
    std::vector<Claimed> entries;
    std::vector<EtcdWord::Part> parts;
    std::string value;  // as it was written
    std::int64_t revision = 0;
  };
  struct Bad {
    std::vector<EtcdWord::Problem> problems;
    bool whole = true;  // nothing of the value was taken
  };

  void put(EtcdPair pair, ClaimChanges& out);
  void take(EtcdPair pair, EtcdWord word, ClaimChanges& out);
  void take_parts(const std::string& by, Known& known, std::vector<EtcdWord::Part> parts,
                  ClaimChanges& out);
  void claim_again(const std::string& key, ClaimChanges& out);
  [[nodiscard]] Claim claim_of(const std::string& key, EtcdWord::Entry entry,
                               std::int64_t revision) const;
  void remove(const std::string& key, ClaimChanges& out);
  void quarantine(const EtcdPair& pair, std::string problem);
  [[nodiscard]] bool stays(const std::string& key, const Bad& bad) const;
  void leave(const std::string& key, Clock::time_point now);
  void end(const std::string& key, Clock::time_point now, ClaimChanges& out);
  [[nodiscard]] bool over_limit(const Known* known, std::size_t claims) const;
  void hold(Keys keys);
  void release(const std::string& key);

  EtcdKeys keys_;
  unsigned rank_;
  std::chrono::milliseconds settle_;
  std::size_t limit_ = 250000;
  std::size_t claims_ = 0;
  bool full_ = false;  // since load() a key was refused for the limit
  bool room_ = false;
  std::map<std::string, Known, std::less<>> records_;
  struct Told {
    EtcdWord::Part part;
    std::string by;  // the key that says so
  };
  // By the key of the claims that they are about: the newest word of each.
  std::map<std::string, Told, std::less<>> parts_;
  Keys unsaid_;  // leaving, and in another part since: to be said should they be put back
  std::map<std::string, Bad, std::less<>> bad_;  // by key
  Keys held_;                                    // keys that are gone, in force still
  std::size_t held_claims_ = 0;
  // Removed, not yet for good: until when, and all of them in that order. One that was put back
  // stays in the queue.
  std::map<std::string, Clock::time_point, std::less<>> leaving_;
  std::deque<std::pair<Clock::time_point, std::string>> queue_;
};

}  // namespace fipd
