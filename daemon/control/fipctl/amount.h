#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "daemon/base/result.h"

namespace fipd::fipctl {

// "1.2 GB": decimal, as bit rates are.
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
// "1234 packets, 1.2 MB" of a traffic object; `direction` is "in" or "out".
[[nodiscard]] std::string amount_of(const boost::json::value& traffic, std::string_view direction);
// "1234 (1.2 MB)", for tables.
[[nodiscard]] std::string brief_amount_of(const boost::json::value& traffic,
                                          std::string_view direction);
// "100M" is 100,000,000: a whole number with k, M or G behind it, decimal. kBadInput otherwise.
[[nodiscard]] Result<std::uint64_t> parse_amount(std::string_view text);

}  // namespace fipd::fipctl
