#pragma once

#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "daemon/base/result.h"

namespace fipd {

// Longest value that is read.
inline constexpr std::size_t kLongestEtcdValue = 256 << 10;

// A key's value. Pure; kLimit where it is too long, kBadInput where it is no JSON.
[[nodiscard]] Result<boost::json::value> json_of(std::string_view value);
// A text that may be missing.
[[nodiscard]] Result<std::string> text_of(const boost::json::object& object, std::string_view name);

}  // namespace fipd
