#pragma once

#include <cstdint>
#include <string>

#include "daemon/base/address.h"

namespace fipd {

// A floating IP and whom it belongs to: what a source says should be.
struct Binding {
  IpAddress floating;
  IpAddress fixed;
  std::string interface;  // the instance's tap; empty: found through the kernel's route to `fixed`
  std::string id;         // the caller's own, e.g. Neutron's floating IP id; opaque
  std::string port;       // e.g. Neutron's port id; opaque
  bool primary = false;   // of several floating IPs of one fixed IP, the one it sends from

  friend bool operator==(const Binding&, const Binding&) = default;
};

// Longest texts that we take from anybody.
inline constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1
inline constexpr std::size_t kMaxOpaqueText = 128;    // id, port

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

  friend bool operator==(const Claim&, const Claim&) = default;
};

}  // namespace fipd
