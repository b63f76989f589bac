#include "daemon/finding.h"

#include <algorithm>

namespace fipd {

std::string_view to_string(Cause cause) {
  static constexpr std::array<std::string_view, kCauses> kNames = {
      "pending",    "not_learned",   "kernel_protocol", "hidden",     "import_filter", "pipe",
      "preference", "export_filter", "export_limit",    "no_channel", "session_down"};
  return kNames.at(static_cast<std::size_t>(cause));
}

void Findings::set(const IpAddress& address, const Finding& finding) {
  forget(address);
  auto at = std::find(different_.begin(), different_.end(), finding);
  if (at == different_.end()) {
    // In the place of one that nobody has any more.
    const auto unused = std::find(uses_.begin(), uses_.end(), 0U);
    if (unused == uses_.end()) {
      different_.push_back(finding);
      uses_.push_back(0);
      examples_.push_back(address);
      at = std::prev(different_.end());
    } else {
      at = different_.begin() + (unused - uses_.begin());
      *at = finding;
    }
  }
  const auto index = static_cast<std::size_t>(at - different_.begin());
  if (uses_[index]++ == 0) examples_[index] = address;
  by_address_[address] = index;
  ++counts_[static_cast<std::size_t>(finding.cause)];
}

void Findings::forget(const IpAddress& address) {
  const auto at = by_address_.find(address);
  if (at == by_address_.end()) return;
  --uses_[at->second];
  --counts_[static_cast<std::size_t>(different_[at->second].cause)];
  by_address_.erase(at);
}

const Finding* Findings::find(const IpAddress& address) const {
  const auto at = by_address_.find(address);
  return at == by_address_.end() ? nullptr : &different_[at->second];
}

std::vector<Findings::Group> Findings::groups() const {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < different_.size(); ++i) {
    if (uses_[i] > 0) groups.push_back({different_[i], uses_[i], examples_[i]});
  }
  return groups;
}

}  // namespace fipd
