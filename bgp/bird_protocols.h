#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bgp/bird_reply.h"

namespace fipd::bgp {

// One channel of a protocol, between it and a table of BIRD's.
struct BirdChannel {
  std::string name;           // "ipv4", "ipv6", "main" (a pipe's)
  std::string state;          // "UP", "DOWN"; empty for a pipe
  std::string table;          // "fip4"
  std::string peer_table;     // a pipe's other end
  std::string import_filter;  // "ACCEPT", "REJECT", "(unnamed)", a name
  std::string export_filter;
  std::uint32_t preference = 0;
  bool export_limit_hit = false;
  std::uint64_t filtered = 0;  // import updates that the filter rejected
  // Accepted updates and withdraws since BIRD's start: as long as one stays the same, nothing
  // changed in that direction.
  std::uint64_t imports = 0;
  std::uint64_t exports = 0;

  [[nodiscard]] bool can_import() const { return import_filter != "REJECT"; }
  [[nodiscard]] bool can_export() const { return export_filter != "REJECT"; }
  friend bool operator==(const BirdChannel&, const BirdChannel&) = default;
};

// One row of `show protocols`, and what `show protocols all` says of it.
struct BirdProtocol {
  std::string name;
  std::string proto;  // "BGP", "Kernel"...
  std::string table;
  std::string state;  // "up", "start", "down"...
  std::string since;  // "2026-11-22 21:04:37.343", "21:04:37.343" or "2026-11-22"
  std::string info;   // "Established", "Active        Socket: Connection refused"
  // With `all` only.
  std::string neighbor;     // BGP's, "10.99.0.2"
  std::string neighbor_as;  // "64513"
  std::string last_error;   // "Socket: Connection refused"; empty: none
  std::vector<BirdChannel> channels;

  [[nodiscard]] bool established() const {
    return proto == "BGP" && info.starts_with("Established");
  }
  friend bool operator==(const BirdProtocol&, const BirdProtocol&) = default;
};

// The answer to `show protocols` or `show protocols all`; texts in it are printable and short.
[[nodiscard]] Result<std::vector<BirdProtocol>> parse_protocols(const BirdReply& reply);

}  // namespace fipd::bgp
