#include "daemon/state/host.h"

namespace fipd {

std::optional<bgp::Link> Host::put(const bgp::Link& link) {
  std::optional<bgp::Link> before;
  bgp::Link& slot = links_[link.index];
  if (slot.index != 0) {
    before = slot;
    // A name that has moved on to another link by now is not ours to forget.
    const auto named = by_name_.find(slot.name);
    if (named != by_name_.end() && named->second == link.index) by_name_.erase(named);
  }
  slot = link;
  by_name_[link.name] = link.index;
  return before;
}

std::optional<bgp::Link> Host::remove_link(unsigned index) {
  const auto at = links_.find(index);
  if (at == links_.end()) return std::nullopt;
  bgp::Link gone = std::move(at->second);
  links_.erase(at);
  const auto named = by_name_.find(gone.name);
  if (named != by_name_.end() && named->second == index) by_name_.erase(named);
  return gone;
}

void Host::put(const bgp::LocalAddress& address) {
  addresses_.emplace(address.address, address.interface);
}

void Host::remove(const bgp::LocalAddress& address) {
  addresses_.erase({address.address, address.interface});
}

void Host::clear() {
  links_.clear();
  by_name_.clear();
  addresses_.clear();
}

const bgp::Link* Host::link(unsigned index) const {
  const auto at = links_.find(index);
  return at == links_.end() ? nullptr : &at->second;
}

const bgp::Link* Host::link(std::string_view name) const {
  const auto at = by_name_.find(std::string(name));
  return at == by_name_.end() ? nullptr : link(at->second);
}

bool Host::owns(const IpAddress& address) const {
  const auto at = addresses_.lower_bound({address, 0});
  return at != addresses_.end() && at->first == address;
}

}  // namespace fipd
