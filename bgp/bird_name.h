#pragma once

#include <algorithm>
#include <string_view>

namespace fipd::bgp {

// Names that may stand between quotes in a command to BIRD. Others are left out, and said to be.
[[nodiscard]] inline bool is_plain_name(std::string_view name) {
  constexpr std::size_t kLongest = 64;  // BIRD's own limit
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == ':';
  };
  return !name.empty() && name.size() <= kLongest && std::all_of(name.begin(), name.end(), plain);
}

}  // namespace fipd::bgp
