#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"

namespace fipd {

// The written form of bindings, the same in every JSON body, `fipctl apply` file and binding file:
//   JSON  {"floating_ips": [{"floating": "172.16.1.3", "fixed": "10.65.0.13",
//                            "interface": "tap9a7e0868-da", "id": "...", "port": "...",
//                            "primary": true}]}
//         and, each where it is needed: instead of "fixed"
//         "forwards": ["tcp/443=10.65.0.13:8443", "udp/5000-5010=10.65.0.14:6000-6010"],
//         "limits": {"in_bits": 100000000, "in_burst": 1000000, "out_bits": 100000000,
//                    "out_burst": 1000000, "new_connections": 100, "new_connections_burst": 50,
//                    "connections": 1000},
//         "preference": 100, "color": 7, "shared": true, "check": "tcp/443" or "icmp"
//   TOML  [[floating_ip]]  with the same keys
// Pure. Every error names the place ("floating_ips[3].fixed", "a.toml:12:9") and the remedy;
// unknown keys, wrong types, over-long texts, control characters, mixed families and the same
// floating IP twice in one document are errors (kBadInput).

[[nodiscard]] Result<Binding> binding_from_json(const boost::json::value& value,
                                                std::string_view place);
[[nodiscard]] Result<std::vector<Binding>> bindings_from_json(std::string_view text);
// Also for apply files. `file` is for the messages. A document without the key `floating_ip` is an
// error: an empty or cut file must not pass for "no floating IPs"; `floating_ip = []` says that.
[[nodiscard]] Result<std::vector<Binding>> bindings_from_toml(std::string_view text,
                                                              std::string_view file);

// What one document may hold; the text itself kMaxDocumentBytes (text_file.h).
inline constexpr std::size_t kMaxBindings = 250000;

// Without the keys that are at their defaults.
[[nodiscard]] boost::json::object to_json(const Binding& binding);
[[nodiscard]] boost::json::object to_json(const Limits& limits);

// The extras alone, as the store keeps them: a JSON object, "" where all is usual.
[[nodiscard]] std::string extras_text(const Rare<Extras>& extras);
[[nodiscard]] Result<Rare<Extras>> extras_from_text(std::string_view text);

}  // namespace fipd
