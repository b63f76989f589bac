#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/observe/latency.h"
#include "daemon/state/binding.h"

namespace fipd {

// How far a floating IP is, or what stands in its way. The order is the way up.
enum class State : std::uint8_t {
  kWaiting,      // no usable interface yet
  kTranslated,   // NAT is in the kernel
  kRouted,       // the route is in the kernel's table
  kLearned,      // BIRD has it
  kAnnounced,    // at least one session has it
  kDrained,      // announced as a last resort
  kWithdrawing,  // removed; still translated until the peers have let go
  kConflict,     // somebody else's claim won
  kRefused,      // the binding itself cannot be
  kFailed,       // the kernel refused; retried
};
inline constexpr std::size_t kStates = 10;

// "waiting", "translated"...: as in the API, fipctl and metrics.
[[nodiscard]] std::string_view to_string(State state);

// Packets and bytes (of IP) in each direction; "in" is towards the instance.
struct Traffic {
  std::uint64_t in_packets = 0;
  std::uint64_t in_bytes = 0;
  std::uint64_t out_packets = 0;
  std::uint64_t out_bytes = 0;

  friend bool operator==(const Traffic&, const Traffic&) = default;
};

// What nat.guard has dropped: packets for a floating IP that nobody here has.
struct GuardReport {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

// What nat.accounting has counted.
struct AccountingReport {
  std::size_t counted = 0;  // floating IPs
  Traffic total;            // since the start of the daemon, of all that were ever counted
  // Each one's own; filled where metrics.traffic_series allows for so many.
  std::vector<std::pair<IpAddress, Traffic>> each;
};

// One row of `fipctl ls`: a claim and how it stands. A conflict's loser is a row of its own.
struct FloatingIpReport {
  Binding binding;
  std::string source;  // "api", "files:/etc/fipd/floating-ips.d/a.toml"
  State state = State::kWaiting;
  std::string reason;                  // why not further; empty where all is well
  std::string interface;               // in use, also where the binding names none; empty: none
  std::uint32_t metric = 0;            // of the route; 0: no route
  std::vector<std::string> announced;  // names of sessions known to have it
  std::vector<std::string> sessions;   // names of those that can have it
  std::vector<std::string> also_announced_by;  // other hosts, as BGP tells of them
  std::uint64_t revision = 0;
  std::optional<Traffic> traffic;  // where it is counted, and was asked for
  // What a source cannot take (RefusedWord): `binding` holds the floating IP at the most.
  bool unread = false;
  bool earlier_in_force = false;  // what the source said before it

  friend bool operator==(const FloatingIpReport&, const FloatingIpReport&) = default;
};

struct SourceReport {
  std::string name;
  bool complete = false;  // has given its first whole snapshot
  std::size_t claims = 0;
  std::size_t held = 0;               // removals that wait for `fipctl accept`
  std::vector<std::string> problems;  // "a.toml:3:12: ..."; at most 20
};

struct SessionReport {
  std::string name;
  std::string state;  // BIRD's: "up", "start", "down"
  std::string info;   // "Established", "Active Socket: Connection refused"
  std::string since;
  std::string neighbor;     // its address; empty where BIRD does not say
  std::string neighbor_as;  // "64513"
  std::string last_error;
  bool established = false;
  bool carries = false;      // can have our routes: its table and filter let it
  std::size_t exported = 0;  // of ours, as last seen
};

struct KernelProtocolReport {
  std::string name;
  std::string state;  // BIRD's; only "up" is in order
};

struct BirdCounters {
  std::uint64_t refreshes = 0;  // looks at all that the sessions have
  std::uint64_t nudges = 0;     // of a BIRD that had lost routes
  double refresh_seconds = 0;   // the last one
  Latency announce;             // from a route's write until a session has it
  Latency withdraw;             // from a route's end until no session has it
};

struct BirdReport {
  bool enabled = true;
  bool connected = false;
  std::string version;                // "2.0.12"
  std::string problem;                // of talking to it, in a sentence; empty where all is well
  std::vector<std::string> problems;  // what else is not in order
  std::vector<KernelProtocolReport> kernel_protocols;
  std::vector<SessionReport> sessions;
  std::vector<std::pair<std::string, std::size_t>>
      missing;                 // floating IPs not everywhere, by cause
  std::size_t duplicates = 0;  // floating IPs that others announce as well, not on purpose
  BirdCounters counters;
};

struct HealthReport {
  std::size_t checks = 0;
  std::size_t failing = 0;
  std::size_t held = 0;  // failing, and left alone because of the brake
  bool braking = false;  // too many fail at once: the check is suspected
  std::uint64_t probes = 0;
  std::uint64_t probes_failed = 0;
  std::vector<std::string> problems;  // sentences
};

// What is drained on this host, and how far the peers are with it.
struct DrainReport {
  struct Session {
    std::string name;
    std::size_t undrained = 0;  // drained prefixes that BIRD still exports to it as before
  };

  bool host = false;             // the whole host, and whatever comes to it
  std::size_t marked = 0;        // single addresses that were drained by name
  std::size_t floating_ips = 0;  // bound here and drained
  std::size_t unwritten = 0;     // of these, whose route has not its drained metric yet
  std::vector<Session> sessions;
  std::string problem;                     // why the sessions cannot be asked, in a sentence
  std::optional<std::size_t> connections;  // tracked ones, to and from the drained; none: unknown

  // Every peer was told.
  [[nodiscard]] bool complete() const {
    if (unwritten > 0 || !problem.empty()) return false;
    for (const Session& session : sessions) {
      if (session.undrained > 0) return false;
    }
    return true;
  }
};

// Counted since the start of the daemon; metrics give them out as counters.
struct Counters {
  std::uint64_t nat_transactions = 0;
  std::uint64_t nat_elements = 0;
  std::uint64_t nat_refusals = 0;
  std::uint64_t route_changes = 0;
  std::uint64_t route_refusals = 0;
  std::uint64_t repairs = 0;       // of what somebody else changed
  std::uint64_t kernel_reads = 0;  // full dumps
  std::uint64_t connections_flushed = 0;
  std::uint64_t passes = 0;
  std::uint64_t longest_slice_ns = 0;  // the longest the event loop was held by one slice of a pass
};

struct StatusReport {
  std::string version;
  std::string host;
  std::chrono::system_clock::time_point started;
  std::array<std::size_t, kStates> counts{};  // floating IPs by State
  std::vector<SourceReport> sources;
  BirdReport bird;
  HealthReport health;
  bool host_drained = false;
  std::size_t drain_marks = 0;  // addresses drained by name
  Counters counters;
  std::optional<GuardReport> guard;            // none: it is off
  std::optional<AccountingReport> accounting;  // none: it is off
  std::vector<std::string> problems;  // sentences; empty: healthy. fipctl status else exits 9
  std::vector<std::string> warnings;  // sentences; what may be meant so. Healthy all the same
};

}  // namespace fipd
