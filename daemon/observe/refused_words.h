#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "daemon/observe/report.h"

namespace fipd {

// A word of a source that it cannot take, a key's value or a file: no claim, but a row of the
// listing in state "refused".
struct RefusedWord {
  std::optional<IpAddress> floating;  // whose it is, where that much can be read
  std::string source;                 // "etcd:8ab8", "files:/etc/fipd/floating-ips.d/a.toml"
  std::string reason;
  bool earlier_in_force = false;  // what it said before stands

  friend bool operator<(const RefusedWord& a, const RefusedWord& b) {
    return std::tie(a.floating, a.source, a.reason) < std::tie(b.floating, b.source, b.reason);
  }
  friend bool operator==(const RefusedWord&, const RefusedWord&) = default;
};
// Ends the reason of such a word.
inline constexpr std::string_view kEarlierInForce = " (what it said before stays in force)";
// Of one source, about; how many there are besides is one more, without an address.
inline constexpr std::size_t kMostRefusedWords = 1000;

// Of a sorted list, those of this floating IP; without one: those that name none.
[[nodiscard]] std::span<const RefusedWord> refused_of(const std::vector<RefusedWord>& sorted,
                                                      const std::optional<IpAddress>& floating);
[[nodiscard]] FloatingIpReport row_of(const RefusedWord& word);

}  // namespace fipd
