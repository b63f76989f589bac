#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::nat {

// The maps of the table; each exists per family, and the key's family chooses ("..." and "...6").
enum class Map : std::uint8_t {
  kFixedByFloating,    // DNAT: destination address -> fixed address
  kFloatingByFixed,    // SNAT: source address -> floating address, for what leaves the cloud
  kFloatingByHairpin,  // SNAT: source == destination == key, after DNAT: an instance calling itself
};

struct Mapping {
  Map map = Map::kFixedByFloating;
  IpAddress key;
  IpAddress value;  // of the key's family

  friend bool operator==(const Mapping&, const Mapping&) = default;
};

// One map element added (no before), removed (no after) or changed (both).
struct MappingChange {
  Map map = Map::kFixedByFloating;
  IpAddress key;
  std::optional<IpAddress> before;
  std::optional<IpAddress> after;

  friend bool operator==(const MappingChange&, const MappingChange&) = default;
};

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

// What the rules are made of.
struct RulesetOptions {
  std::string table = "fipd";  // in family inet
  SnatMode snat = SnatMode::kEgress;
  std::vector<Prefix> internal;  // both families; never SNAT'd by egress

  friend bool operator==(const RulesetOptions&, const RulesetOptions&) = default;
};

// The nftables table, narrow: the seam for the fake. One caller at a time, from any thread.
class NatTable {
 public:
  virtual ~NatTable() = default;

  // Brings table, chains and rules to what `options` says, in one transaction, elements untouched.
  // Writes nothing where they are so already. Returns in words what was wrong and was written
  // ("chain postrouting is missing"), empty where nothing was.
  [[nodiscard]] virtual Result<std::string> ensure_ruleset(const RulesetOptions& options) = 0;
  // All elements of our maps, by a raw dump (82 ms for 100,000 pairs). Empty where there is no
  // table.
  [[nodiscard]] virtual Result<std::vector<Mapping>> dump() = 0;
  // Counts the commits of everybody in this network namespace; wraps.
  [[nodiscard]] virtual Result<std::uint32_t> generation() = 0;
  // One transaction, whatever it holds: all or nothing.
  [[nodiscard]] virtual tl::expected<void, CommitFailure> commit(
      std::span<const MappingChange> changes) = 0;
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
  // Events were lost (ENOBUFS): read everything again.
  virtual void nat_overrun() = 0;
};

}  // namespace fipd::nat
