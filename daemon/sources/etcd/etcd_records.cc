#include "daemon/sources/etcd/etcd_records.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace fipd {
namespace {

constexpr std::size_t kMostProblems = 20;
constexpr std::size_t kMostProblemsOfAKey = 5;
constexpr std::size_t kMostListedOfAKey = 100;

std::string joined(const std::vector<EtcdWord::Problem>& problems) {
  std::string text;
  for (std::size_t i = 0; i < problems.size() && i < kMostProblemsOfAKey; ++i) {
    text += (i == 0 ? "" : "; ") + problems[i].text;
  }
  if (problems.size() > kMostProblemsOfAKey) {
    text += fmt::format("; and {} more", problems.size() - kMostProblemsOfAKey);
  }
  return text;
}

}  // namespace

bool EtcdRecords::over_limit(const Known* known, std::size_t claims) const {
  const std::size_t before = known == nullptr ? 0 : known->entries.size();
  if (claims > before && claims_ - before + claims > limit_) return true;
  return known == nullptr && records_.size() >= limit_;
}

void EtcdRecords::put(EtcdPair pair, ClaimChanges& out) {
  release(pair.key);
  leaving_.erase(pair.key);
  if (unsaid_.erase(pair.key) > 0) claim_again(pair.key, out);
  const auto at = records_.find(pair.key);
  const Known* known = at == records_.end() ? nullptr : &at->second;
  // Written again as it was: nobody need look.
  const auto bad = bad_.find(pair.key);
  const bool quarantined = bad != bad_.end() && bad->second.whole;
  if (known != nullptr && known->value == pair.value && !quarantined) return;
  Result<EtcdWord> word = keys_.decode(pair.key, pair.value);
  if (!word) {
    return quarantine(pair, word.error().message());
  }
  if (over_limit(known, word->entries.size())) {
    full_ = true;
    return quarantine(pair,
                      fmt::format("there are {} already: raise limits.floating_ips", claims_));
  }
  if (word->problems.empty()) {
    bad_.erase(pair.key);
  } else {
    bad_[pair.key] = Bad{std::move(word->problems), false};
  }
  take(std::move(pair), std::move(*word), out);
}

void EtcdRecords::quarantine(const EtcdPair& pair, std::string problem) {
  EtcdWord::Problem one{std::nullopt, std::move(problem)};
  if (keys_.floating) one.floating = keys_.floating(pair.value);
  bad_[pair.key] = Bad{{std::move(one)}};
}

bool EtcdRecords::stays(const std::string& key, const Bad& bad) const {
  return bad.whole && records_.contains(key);
}

void EtcdRecords::take(EtcdPair pair, EtcdWord word, ClaimChanges& out) {
  Known& known = records_[pair.key];
  for (const Claimed& old : known.entries) {
    const bool kept = std::any_of(word.entries.begin(), word.entries.end(), [&](const auto& each) {
      return each.binding.floating == old.floating && each.origin == old.origin;
    });
    if (!kept) out.removals.push_back({old.floating, old.origin});
  }
  if (word.entries.size() < known.entries.size()) room_ = full_;
  claims_ = claims_ - known.entries.size() + word.entries.size();
  known.entries.clear();
  known.entries.reserve(word.entries.size());
  for (EtcdWord::Entry& entry : word.entries) {
    known.entries.push_back({entry.binding.floating, entry.origin});
    out.puts.push_back(claim_of(pair.key, std::move(entry), pair.revision));
  }
  known.value = std::move(pair.value);
  known.revision = pair.revision;
  take_parts(pair.key, known, std::move(word.parts), out);
}

Claim EtcdRecords::claim_of(const std::string& key, EtcdWord::Entry entry,
                            std::int64_t revision) const {
  Claim claim{std::move(entry.binding), rank_, static_cast<std::uint64_t>(revision),
              std::move(entry.origin)};
  const auto at = parts_.find(key);
  claim.role = at == parts_.end() ? entry.role : at->second.part.role;
  claim.peer = at == parts_.end() ? entry.peer : at->second.part.peer;
  return claim;
}

// What another key has said of the same claims since is not taken back: a second migration may
// begin while the first one's end settles.
void EtcdRecords::take_parts(const std::string& by, Known& known, std::vector<EtcdWord::Part> parts,
                             ClaimChanges& out) {
  if (known.parts == parts) return;
  const std::vector<EtcdWord::Part> before = std::exchange(known.parts, std::move(parts));
  for (const EtcdWord::Part& each : before) {
    const auto at = parts_.find(each.key);
    if (at != parts_.end() && at->second.by == by) parts_.erase(at);
  }
  for (const EtcdWord::Part& each : known.parts) parts_[each.key] = Told{each, by};
  for (const EtcdWord::Part& each : before) claim_again(each.key, out);
  for (const EtcdWord::Part& each : known.parts) claim_again(each.key, out);
}

// In another part. What is leaving, perhaps because its migration failed, gets none unless it is
// put back.
void EtcdRecords::claim_again(const std::string& key, ClaimChanges& out) {
  const auto at = records_.find(key);
  if (at == records_.end()) return;
  if (leaving_.contains(key)) {
    unsaid_.insert(key);
    return;
  }
  Result<EtcdWord> word = keys_.decode(key, at->second.value);
  if (!word) return;  // it was good when it was taken
  for (EtcdWord::Entry& entry : word->entries) {
    out.puts.push_back(claim_of(key, std::move(entry), at->second.revision));
  }
}

void EtcdRecords::remove(const std::string& key, ClaimChanges& out) {
  bad_.erase(key);
  release(key);
  leaving_.erase(key);
  const auto at = records_.find(key);
  if (at == records_.end()) return;
  for (const Claimed& each : at->second.entries) {
    out.removals.push_back({each.floating, each.origin});
  }
  room_ = full_;
  claims_ -= at->second.entries.size();
  unsaid_.erase(key);
  take_parts(key, at->second, {}, out);
  records_.erase(at);
}

void EtcdRecords::leave(const std::string& key, Clock::time_point now) {
  bad_.erase(key);
  release(key);
  if (!records_.contains(key)) return;
  if (leaving_.emplace(key, now + settle_).second) queue_.emplace_back(now + settle_, key);
}

// Counted here, so that looking at their number costs nothing while many are held.
void EtcdRecords::hold(Keys keys) {
  held_ = std::move(keys);
  held_claims_ = 0;
  for (const std::string& key : held_) held_claims_ += records_.find(key)->second.entries.size();
}

void EtcdRecords::release(const std::string& key) {
  if (held_.erase(key) > 0) held_claims_ -= records_.find(key)->second.entries.size();
}

ClaimChanges EtcdRecords::load(std::vector<EtcdPair> pairs, bool trusted, const HoldRule& rule,
                               Clock::time_point now) {
  full_ = room_ = false;
  std::unordered_set<std::string_view> present;
  present.reserve(pairs.size());
  for (const EtcdPair& pair : pairs) present.insert(pair.key);
  Keys missing;
  for (const auto& [key, known] : records_) {
    if (!present.contains(key) && !leaving_.contains(key)) missing.insert(key);
  }
  std::erase_if(bad_, [&](const auto& each) { return !present.contains(each.first); });
  hold(std::move(missing));
  // First, so that what comes in its place finds room.
  ClaimChanges out;
  if (trusted && !rule.holds(held(), claims_)) out = let_go(now);
  for (EtcdPair& pair : pairs) put(std::move(pair), out);
  return out;
}

// What is held goes as if its DELETE had been seen.
ClaimChanges EtcdRecords::let_go(Clock::time_point now) {
  ClaimChanges out;
  const Keys gone = held_;
  for (const std::string& key : gone) end(key, now, out);
  return out;
}

void EtcdRecords::end(const std::string& key, Clock::time_point now, ClaimChanges& out) {
  if (settle_.count() > 0) {
    leave(key, now);
  } else {
    remove(key, out);
  }
}

ClaimChanges EtcdRecords::apply(const EtcdEvent& event, Clock::time_point now) {
  ClaimChanges out;
  if (!event.removed) {
    put(event.pair, out);
  } else {
    end(event.pair.key, now, out);
  }
  return out;
}

ClaimChanges EtcdRecords::accept() {
  ClaimChanges out;
  const Keys gone = held_;
  for (const std::string& key : gone) remove(key, out);
  return out;
}

ClaimChanges EtcdRecords::settled(Clock::time_point now, std::vector<std::string>& gone) {
  ClaimChanges out;
  while (!queue_.empty() && queue_.front().first <= now) {
    const auto [until, key] = std::move(queue_.front());
    queue_.pop_front();
    // Put back, or removed once more since.
    const auto at = leaving_.find(key);
    if (at == leaving_.end() || at->second != until) continue;
    remove(key, out);
    gone.push_back(key);
  }
  return out;
}

std::optional<EtcdRecords::Clock::time_point> EtcdRecords::due() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.front().first;
}

std::vector<std::string> EtcdRecords::problems() const {
  std::vector<std::string> all;
  for (const auto& [key, bad] : bad_) {
    if (all.size() == kMostProblems) break;
    all.push_back(fmt::format("{}: {}{}", keys_.title(key), joined(bad.problems),
                              stays(key, bad) ? kEarlierInForce : ""));
  }
  return all;
}

// Looks at no more keys than it lists: somebody may have written very many bad ones.
std::vector<RefusedWord> EtcdRecords::refused() const {
  std::vector<RefusedWord> all;
  std::size_t more = bad_.size();
  for (const auto& [key, bad] : bad_) {
    if (all.size() >= kMostRefusedWords) break;
    --more;
    const bool in_force = stays(key, bad);
    const std::string source = keys_.origin(key);
    const std::size_t listed = std::min(bad.problems.size(), kMostListedOfAKey);
    for (std::size_t i = 0; i < listed; ++i) {
      const EtcdWord::Problem& each = bad.problems[i];
      all.push_back({each.floating, source,
                     fmt::format("{}{}", each.text, in_force ? kEarlierInForce : ""), in_force});
    }
    if (listed == bad.problems.size()) continue;
    all.push_back({std::nullopt, source,
                   fmt::format("and {} more in this key", bad.problems.size() - listed)});
  }
  if (more > 0) {
    all.push_back({std::nullopt, keys_.source, fmt::format("and {} more key(s) like these", more)});
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<EtcdPair> EtcdRecords::pairs() const {
  std::vector<EtcdPair> all;
  all.reserve(records_.size());
  for (const auto& [key, known] : records_) all.push_back({key, known.value, known.revision});
  return all;
}

}  // namespace fipd
