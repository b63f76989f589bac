#include "nat/address_ranges.h"

#include <algorithm>
#include <optional>
#include <tuple>

namespace fipd::nat {
namespace {

// One up or one down; nothing past the ends of the address space.
std::optional<IpAddress> neighbour(const IpAddress& address, bool up) {
  AddressBytes bytes = to_bytes(address);
  for (std::size_t i = bytes.size; i-- > 0;) {
    bytes.data[i] = static_cast<std::uint8_t>(up ? bytes.data[i] + 1 : bytes.data[i] - 1);
    if (bytes.data[i] != (up ? 0x00 : 0xff)) return from_bytes(bytes.data, bytes.size);
  }
  return std::nullopt;
}

IpAddress last_of(const IpAddress& first, unsigned prefix_length) {
  AddressBytes bytes = to_bytes(first);
  for (unsigned bit = prefix_length; bit < bytes.size * 8; ++bit) {
    bytes.data[bit / 8] = static_cast<std::uint8_t>(bytes.data[bit / 8] | (0x80U >> bit % 8));
  }
  return from_bytes(bytes.data, bytes.size);
}

std::vector<AddressRange> merged(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
    return std::tie(a.first, a.last) < std::tie(b.first, b.last);
  });
  std::vector<AddressRange> out;
  for (const AddressRange& range : ranges) {
    if (!out.empty()) {
      const auto after = neighbour(out.back().last, true);
      if (!after || range.first <= *after) {
        out.back().last = std::max(out.back().last, range.last);
        continue;
      }
    }
    out.push_back(range);
  }
  return out;
}

}  // namespace

std::string AddressRange::to_string() const {
  if (first == last) return first.to_string();
  return fmt::format("{}-{}", first, last);
}

std::vector<AddressRange> ranges_of(std::span<const Prefix> prefixes, int family) {
  std::vector<AddressRange> ranges;
  for (const Prefix& prefix : prefixes) {
    if (family_of(prefix.address()) != family) continue;
    ranges.push_back({prefix.address(), last_of(prefix.address(), prefix.length())});
  }
  return merged(std::move(ranges));
}

std::vector<AddressRange> ranges_of(std::vector<IntervalMark> marks) {
  // Where one range ends and the next begins at the same key, the end comes first.
  std::sort(marks.begin(), marks.end(), [](const IntervalMark& a, const IntervalMark& b) {
    return std::tuple(a.key, !a.end) < std::tuple(b.key, !b.end);
  });
  std::vector<AddressRange> ranges;
  std::optional<IpAddress> open;
  for (const IntervalMark& mark : marks) {
    if (!mark.end) {
      if (!open) open = mark.key;
      continue;
    }
    // nft puts an end without a beginning at 0.0.0.0.
    const auto last = neighbour(mark.key, false);
    if (open && last) ranges.push_back({*open, *last});
    open.reset();
  }
  if (open) ranges.push_back({*open, last_of(*open, 0)});
  return merged(std::move(ranges));
}

}  // namespace fipd::nat
