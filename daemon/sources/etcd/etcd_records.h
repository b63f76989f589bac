#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/sources/claim_changes.h"
#include "daemon/sources/etcd/etcd_message.h"

namespace fipd {

// A value under /fipd/v1/host/<host>/fip/ (docs/etcd.md): a binding, and which end of a change this
// host is. Pure. Members that are not known are ignored, unlike everywhere else: a newer
// controller may write them.
struct EtcdRecord {
  enum class Role : std::uint8_t {
    kServing,  // absent, or "source"
    kTarget,   // being migrated to this host
    kLeaving,  // somebody else serves it by now
  };
  Binding binding;
  Role role = Role::kServing;
  std::string peer;

  friend bool operator==(const EtcdRecord&, const EtcdRecord&) = default;
};
[[nodiscard]] Result<EtcdRecord> record_of(std::string_view value);

// "rack 1" -> "rack%201": a name as a part of a key.
[[nodiscard]] std::string escaped(std::string_view name);

// What all keys of this host say, and what of it is claimed. A bad value is quarantined: what the
// key said before stands, and problems() names it. Keys that a snapshot lacks are removed only
// where it is to be trusted, and mass removals wait for accept(). Pure; one caller at a time.
class EtcdRecords {
 public:
  EtcdRecords(std::string prefix, unsigned rank) : prefix_(std::move(prefix)), rank_(rank) {}

  // No more keys than this; the others are quarantined.
  void set_limit(std::size_t limit) { limit_ = limit; }

  // All keys at one revision. Not `trusted`: what is missing in it stays, whatever its number.
  [[nodiscard]] ClaimChanges load(std::vector<EtcdPair> pairs, bool trusted, const HoldRule& rule);
  [[nodiscard]] ClaimChanges apply(const EtcdEvent& event);
  // The held removals.
  [[nodiscard]] ClaimChanges accept();

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  // Of keys whose value is bad, at most 20.
  [[nodiscard]] std::vector<std::string> problems() const;
  // What is in force, for the store: by key.
  [[nodiscard]] std::vector<EtcdPair> pairs() const;
  // The binding that a key stands for now. Null: none.
  [[nodiscard]] const EtcdRecord* find(std::string_view key) const;

 private:
  struct Known {
    EtcdRecord record;
    std::string value;  // as it was written
    std::int64_t revision = 0;
  };

  void put(const EtcdPair& pair, ClaimChanges& out);
  void remove(const std::string& key, ClaimChanges& out);
  [[nodiscard]] std::string origin_of(std::string_view key) const;

  std::string prefix_;
  unsigned rank_;
  std::size_t limit_ = 250000;
  std::map<std::string, Known, std::less<>> records_;
  std::map<std::string, std::string, std::less<>> bad_;  // key -> what is wrong with its value
  std::set<std::string, std::less<>> held_;              // keys that are gone, in force still
};

}  // namespace fipd
