#include "daemon/control/fipctl/amount.h"

#include <charconv>
#include <limits>

#include "daemon/control/fipctl/json_fields.h"
#include "daemon/state/suggestion.h"

namespace fipd::fipctl {

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB", "PB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  // 999.95 would be written as 1000.0.
  for (; value >= 999.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string amount_of(const boost::json::value& traffic, std::string_view direction) {
  const std::uint64_t packets = count_of(traffic, fmt::format("{}_packets", direction));
  const std::uint64_t bytes = count_of(traffic, fmt::format("{}_bytes", direction));
  return fmt::format("{} packet{}, {}", packets, packets == 1 ? "" : "s", bytes_text(bytes));
}

std::string brief_amount_of(const boost::json::value& traffic, std::string_view direction) {
  return fmt::format("{} ({})", count_of(traffic, fmt::format("{}_packets", direction)),
                     bytes_text(count_of(traffic, fmt::format("{}_bytes", direction))));
}

Result<std::uint64_t> parse_amount(std::string_view text) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, problem] = std::from_chars(text.data(), end, number);
  const std::string_view suffix(after, static_cast<std::size_t>(end - after));
  std::uint64_t unit = 0;
  if (suffix.empty()) unit = 1;
  if (suffix == "k") unit = 1000;
  if (suffix == "M") unit = 1000000;
  if (suffix == "G") unit = 1000000000;
  if (problem != std::errc() || unit == 0 ||
      number > std::numeric_limits<std::uint64_t>::max() / unit) {
    return fail(ErrorCode::kBadInput, "'{}' is not a number: write one like 1000, 64k, 100M or 1G",
                printable(text));
  }
  return number * unit;
}

}  // namespace fipd::fipctl
