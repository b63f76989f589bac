#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/state/rare.h"

namespace fipd {

enum class Protocol : std::uint8_t { kTcp = 6, kUdp = 17, kSctp = 132 };  // IANA's numbers

// Ports of a floating IP that lead to ports of an instance: port + i to fixed_port + i.
struct Forward {
  Protocol protocol = Protocol::kTcp;
  std::uint16_t port = 0;
  std::uint16_t count = 1;
  IpAddress fixed;
  std::uint16_t fixed_port = 0;

  friend bool operator==(const Forward&, const Forward&) = default;
};

// What one floating IP may use; 0: no limit, of a burst: a default one.
struct Limits {
  std::uint64_t in_bits = 0;   // a second, towards the instance
  std::uint64_t in_burst = 0;  // bytes
  std::uint64_t out_bits = 0;
  std::uint64_t out_burst = 0;
  std::uint32_t new_connections = 0;  // a second
  std::uint32_t new_connections_burst = 0;
  std::uint32_t connections = 0;  // at a time

  friend bool operator==(const Limits&, const Limits&) = default;
};

// How the instance behind a floating IP is asked whether it is well.
struct HealthCheck {
  enum class Kind : std::uint8_t { kTcp, kIcmp };
  Kind kind = Kind::kIcmp;
  std::uint16_t port = 0;  // of kTcp

  friend bool operator==(const HealthCheck&, const HealthCheck&) = default;
};

// What few bindings have.
struct Extras {
  std::vector<Forward> forwards;       // by protocol and port
  std::optional<Limits> limits;        // none: the configured ones
  std::optional<unsigned> preference;  // 0 to 200; 100 is normal, the higher is preferred
  std::uint16_t color = 0;             // 0: none
  bool shared = false;                 // bound on several hosts on purpose
  std::optional<HealthCheck> check;

  friend bool operator==(const Extras&, const Extras&) = default;
};

// A floating IP and whom it belongs to: what a source says should be. It leads to `fixed`, or to
// the fixed IPs of its forwards; `fixed` is IpAddress() then.
struct Binding {
  IpAddress floating;
  IpAddress fixed;
  std::string interface;  // the instance's tap; empty: found through the kernel's route to `fixed`
  std::string id;         // the caller's own, e.g. Neutron's floating IP id; opaque
  std::string port;       // e.g. Neutron's port id; opaque
  bool primary = false;   // of several floating IPs of one fixed IP, the one it sends from
  Rare<Extras> extras;

  [[nodiscard]] const std::vector<Forward>& forwards() const { return extras->forwards; }
  // Each address that it leads to; the same may come twice.
  template <typename F>
  void for_each_fixed(F visit) const {
    if (forwards().empty()) visit(fixed);
    for (const Forward& forward : forwards()) visit(forward.fixed);
  }

  friend bool operator==(const Binding&, const Binding&) = default;
};

// Longest texts that we take from anybody.
inline constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1
inline constexpr std::size_t kMaxOpaqueText = 128;    // id, port
// Ports that one floating IP forwards, over all its forwards.
inline constexpr std::size_t kMaxForwardedPorts = 4096;

// One source's word on one floating IP.
struct Claim {
  Binding binding;
  // Position in the order of sources: the lower one wins.
  unsigned rank = 0;
  // Newest wins within a rank: a store revision, a file's modification time in nanoseconds, etcd's
  // mod_revision.
  std::uint64_t revision = 0;
  // The source's name and, where one source can claim twice, the place: "api",
  // "files:/etc/fipd/floating-ips.d/a.toml".
  std::string origin;
  // Which end of a change this host is, and who the other is.
  enum class Role : std::uint8_t {
    kServing,
    kTarget,   // the instance is being migrated here: prepared, not announced
    kLeaving,  // `peer` serves it by now: a last resort, until the claim goes
  };
  Role role = Role::kServing;
  std::string peer{};

  friend bool operator==(const Claim&, const Claim&) = default;
};

}  // namespace fipd
