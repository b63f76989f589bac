#pragma once

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "nat/nat_table.h"

namespace fipd::nat {

// NatTable in memory with the kernel's semantics, for tests: all or nothing, EEXIST for an add of
// a key that has another value, ENOENT for a delete of an absent key or without the table. Writes
// down every transaction that went through; a test may also change the state behind fipd's back.
class FakeNatTable : public NatTable {
 public:
  using Transaction = std::vector<ElementChange>;
  struct RulesetWrite {
    RulesetOptions options;
    std::string found;  // what ensure_ruleset() answered
  };
  // In the order of events. An ensure_ruleset() that wrote nothing is not here.
  std::vector<std::variant<Transaction, RulesetWrite>> journal;

  Result<std::string> ensure_ruleset(const RulesetOptions& options) override {
    ++checks;
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    if (read_failure) return fail(*read_failure);
    if (limits_failure && options.limits) return fail(*limits_failure);
    std::string found;
    if (!ruleset) found = "the table is missing";
    if (ruleset && *ruleset != sticky(options))
      found = "chain postrouting: rule 1 is not as it should be";
    if (found.empty() && !damage.empty()) found = damage;
    if (found.empty()) return found;
    ruleset = sticky(options);
    std::erase_if(elements, [&](const auto& each) { return !has(*ruleset, each.first.first); });
    damage.clear();
    journal.push_back(RulesetWrite{options, found});
    return found;
  }

  Result<std::vector<Element>> dump() override {
    ++dumps;
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    if (read_failure) return fail(*read_failure);
    std::vector<Element> out;
    for (const auto& [key, value] : elements) out.push_back({key.first, key.second, value});
    return out;
  }

  // A test counts by changing the values of kReceived and kSent in `elements`.
  Result<std::vector<Traffic>> counters() override {
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    std::map<IpAddress, Traffic> by_address;
    for (const auto& [key, value] : elements) {
      if (key.first != Map::kReceived && key.first != Map::kSent) continue;
      Traffic& traffic = by_address[key.second.address];
      traffic.address = key.second.address;
      (key.first == Map::kSent ? traffic.sent : traffic.received) = std::get<Counter>(value);
    }
    std::vector<Traffic> out;
    for (const auto& [address, traffic] : by_address) out.push_back(traffic);
    return out;
  }

  Result<Counter> untranslated() override {
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    return guarded;
  }

  Result<std::vector<Neighbour>> neighbours() override {
    if (next_failure) return fail(*std::exchange(next_failure, std::nullopt));
    return others;
  }

  Result<std::uint32_t> generation() override {
    return static_cast<std::uint32_t>(journal.size()) + foreign_commits;
  }

  tl::expected<void, CommitFailure> commit(std::span<const ElementChange> changes) override {
    if (next_failure) {
      return tl::unexpected(CommitFailure{*std::exchange(next_failure, std::nullopt), {}});
    }
    if (changes.empty()) return {};
    foreign_commits += std::exchange(foreign_commit_during_next, false) ? 1U : 0U;
    const bool possible = std::all_of(changes.begin(), changes.end(), [&](const auto& change) {
      return ruleset && has(*ruleset, change.map);
    });
    if (!possible) return refuse(ENOENT, {});
    Elements after = elements;
    std::map<std::size_t, int> refused;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto scripted = refusals.find({changes[i].map, changes[i].key});
      if (scripted != refusals.end()) refused.emplace(i, scripted->second);
      const Key key{changes[i].map, changes[i].key};
      if (changes[i].before && after.erase(key) == 0) refused.emplace(i, ENOENT);
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!changes[i].after) continue;
      const auto [at, added] =
          after.try_emplace({changes[i].map, changes[i].key}, *changes[i].after);
      // Of counters and limits the kernel keeps what is there, and says nothing.
      if (!added && is_address(at->second) && at->second != *changes[i].after) {
        refused.emplace(i, EEXIST);
      }
    }
    if (!refused.empty()) return refuse(refused.begin()->second, refused);
    elements = std::move(after);
    journal.emplace_back(Transaction(changes.begin(), changes.end()));
    return {};
  }

  // `nft flush ruleset` by somebody else.
  void lose_table() {
    ruleset.reset();
    elements.clear();
  }

  using Key = std::pair<Map, nat::Key>;
  using Elements = std::map<Key, Value>;
  Elements elements;                      // what the kernel has
  std::optional<RulesetOptions> ruleset;  // none: no table
  Counter guarded;                        // what untranslated() answers
  std::vector<Neighbour> others;          // what neighbours() answers
  std::string damage;                     // found, and repaired, by the next ensure_ruleset()
  std::map<Key, int> refusals;            // keys that no commit may touch, with the errno
  std::optional<Error> next_failure;      // of the next call of any kind only
  std::optional<Error> read_failure;      // of ensure_ruleset() and dump(), until it is reset
  std::optional<Error> limits_failure;    // of rules with limits, until it is reset
  std::uint32_t foreign_commits = 0;      // counted by generation()
  bool foreign_commit_during_next = false;
  std::size_t dumps = 0;
  std::size_t checks = 0;

 private:
  static bool is_address(const Value& value) {
    return std::holds_alternative<IpAddress>(value) || std::holds_alternative<Endpoint>(value);
  }
  // What the table has already of forwards and limits stays.
  RulesetOptions sticky(RulesetOptions options) const {
    options.forwards |= ruleset && ruleset->forwards;
    options.limits |= ruleset && ruleset->limits;
    return options;
  }
  static tl::unexpected<CommitFailure> refuse(int error,
                                              const std::map<std::size_t, int>& refused) {
    CommitFailure failure{Error::from_errno(error, "nft transaction refused"), {}};
    for (const auto& [index, number] : refused) {
      failure.refused.push_back({index, Error::from_errno(number, "nft element")});
    }
    return tl::unexpected(std::move(failure));
  }
};

}  // namespace fipd::nat
