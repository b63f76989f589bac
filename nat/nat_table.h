#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"
#include "nat/element.h"

namespace fipd::nat {

// The transaction was refused whole. `refused` are the changes that the kernel named, with its
// word: ENOENT and EEXIST mean that somebody else wrote (dump and compare again), anything else
// that this change cannot be. Empty where the kernel blamed no element.
struct CommitFailure {
  Error error;
  struct Refused {
    std::size_t index = 0;
    Error error;
  };
  std::vector<Refused> refused;
};

enum class SnatMode {
  kEgress,   // what leaves for outside `internal` carries the floating IP
  kHairpin,  // only an instance calling itself through its own floating IP
};

// The metadata service of an instance: TCP port 80 of 169.254.169.254 and fe80::a9fe:a9fe, from
// these interfaces, goes to `listen` on the host instead.
struct MetadataOptions {
  std::vector<Endpoint> listen;         // at most one of each family; none: no redirect
  std::vector<std::string> interfaces;  // names, or beginnings of names with a '*' at the end

  friend bool operator==(const MetadataOptions&, const MetadataOptions&) = default;
};

// What the rules are made of. `forwards` and `limits` are sticky: rules and sets of theirs that the
// kernel has already stay although the options do not ask for them, so that a start before the
// first binding is known takes nothing away.
struct RulesetOptions {
  std::string table = "fipd";  // in family inet
  SnatMode snat = SnatMode::kEgress;
  std::vector<Prefix> internal;  // both families; never SNAT'd by egress
  std::vector<Prefix> guarded;   // both families: untranslated packets to these are not forwarded
  bool accounting = false;       // kReceived, kSent
  bool forwards = false;         // kForwards, and in egress mode kHairpin
  bool limits = false;           // kRateIn, kRateOut, kNewConnections, kConnections
  MetadataOptions metadata;

  friend bool operator==(const RulesetOptions&, const RulesetOptions&) = default;
};

// Whether the table of these options holds that map.
[[nodiscard]] bool has(const RulesetOptions& options, Map map);

// What an address got and sent, as far as it is counted.
struct Traffic {
  IpAddress address;
  Counter received;
  Counter sent;

  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// A base chain in somebody else's table that may keep packets from us or from instances.
struct Neighbour {
  enum class Kind : std::uint8_t {
    kTranslatesFirst,  // of type nat, run before ours at that hook, or perhaps so
    kDrops,            // with policy drop: what no rule of it accepts is lost
  };
  Kind kind = Kind::kDrops;
  std::string family;  // "ip", "ip6", "inet", as nft writes it
  std::string table;
  std::string chain;
  std::string hook;  // "forward"
  int priority = 0;

  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

// The nftables table, narrow: the seam for the fake. One caller at a time, from any thread.
class NatTable {
 public:
  virtual ~NatTable() = default;

  // Brings table, chains and rules to what `options` says, in one transaction, elements untouched.
  // Writes nothing where they are so already. Returns in words what was wrong and was written
  // ("chain postrouting is missing"), empty where nothing was.
  [[nodiscard]] virtual Result<std::string> ensure_ruleset(const RulesetOptions& options) = 0;
  // All elements of our maps and sets, by raw dumps (82 ms for 100,000 pairs), counters with what
  // they have counted. Empty where there is no table.
  [[nodiscard]] virtual Result<std::vector<Element>> dump() = 0;
  // What kReceived and kSent have counted, by raw dumps; sorted by address.
  [[nodiscard]] virtual Result<std::vector<Traffic>> counters() = 0;
  // The packets that the guard has dropped; survives a rewrite of the rules. Zero without a guard.
  [[nodiscard]] virtual Result<Counter> untranslated() = 0;
  // Base chains of others that matter to us, in any table and family. Legacy iptables has none that
  // nftables tells of.
  [[nodiscard]] virtual Result<std::vector<Neighbour>> neighbours() = 0;
  // Counts the commits of everybody in this network namespace; wraps.
  [[nodiscard]] virtual Result<std::uint32_t> generation() = 0;
  // One transaction, whatever it holds: all or nothing.
  [[nodiscard]] virtual tl::expected<void, CommitFailure> commit(
      std::span<const ElementChange> changes) = 0;
};

// A commit to our table by somebody else, as NFT_MSG_NEWGEN and the messages before it told.
struct ForeignCommit {
  std::uint32_t generation = 0;
  std::uint32_t pid = 0;
  std::string name;  // of the committing process, as the kernel gives it (16 bytes)
};

// The events of others' commits, to be turned off for the length of a big commit of our own: as
// long as anybody listens, the kernel allocates some 4 KiB of message for every element of it.
class NatEvents {
 public:
  virtual ~NatEvents() = default;

  // Between the two nothing is told: compare generations.
  virtual void mute() = 0;
  virtual void unmute() = 0;
};

// What NatMonitor calls, on the event loop's thread.
class NatObserver {
 public:
  virtual ~NatObserver() = default;

  virtual void foreign_commit(const ForeignCommit& commit) = 0;
  // Somebody added, changed or removed a base chain or a table: neighbours() may answer otherwise.
  // So it may after nat_overrun(), and after a time without events (NatEvents::mute).
  virtual void neighbours_changed() {}
  // Events were lost (ENOBUFS): read everything again.
  virtual void nat_overrun() = 0;
};

}  // namespace fipd::nat
