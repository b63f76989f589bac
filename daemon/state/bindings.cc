#include "daemon/state/bindings.h"

#include <algorithm>
#include <utility>

namespace fipd {
namespace {

bool wins_over(const Claim& a, const Claim& b) {
  if (a.rank != b.rank) return a.rank < b.rank;
  if (a.revision != b.revision) return a.revision > b.revision;
  return a.origin < b.origin;  // two that are equal must not alternate
}

template <typename Map, typename Key>
const AddressSet* find_set(const Map& map, const Key& key) {
  const auto at = map.find(key);
  return at == map.end() ? nullptr : &at->second;
}

template <typename Map, typename Key>
void erase_from(Map& map, const Key& key, const IpAddress& floating) {
  const auto at = map.find(key);
  if (at == map.end()) return;
  at->second.erase(floating);
  if (at->second.empty()) map.erase(at);
}

}  // namespace

void Bindings::put(Claim claim) {
  const IpAddress floating = claim.binding.floating;
  Claims& claims = claims_[floating];
  if (!claims.empty()) {
    unindex(claims.front().binding);
  } else if (floating.is_v4()) {
    ++v4_;
  }
  const auto same = std::find_if(claims.begin(), claims.end(),
                                 [&](const Claim& each) { return each.origin == claim.origin; });
  if (same == claims.end()) {
    claims.push_back(std::move(claim));
    ++total_;
  } else {
    *same = std::move(claim);
  }
  if (claims.size() > 1) std::sort(claims.begin(), claims.end(), wins_over);
  index(claims.front().binding);
}

void Bindings::remove(const IpAddress& floating, std::string_view origin) {
  const auto at = claims_.find(floating);
  if (at == claims_.end()) return;
  Claims& claims = at->second;
  const auto same = std::find_if(claims.begin(), claims.end(),
                                 [&](const Claim& each) { return each.origin == origin; });
  if (same == claims.end()) return;
  unindex(claims.front().binding);
  claims.erase(same);
  --total_;
  if (claims.empty()) {
    if (floating.is_v4()) --v4_;
    claims_.erase(at);
  } else {
    index(claims.front().binding);
  }
}

const Claim* Bindings::winner(const IpAddress& floating) const {
  const auto at = claims_.find(floating);
  return at == claims_.end() ? nullptr : &at->second.front();
}

std::span<const Claim> Bindings::claims(const IpAddress& floating) const {
  const auto at = claims_.find(floating);
  return at == claims_.end() ? std::span<const Claim>() : std::span<const Claim>(at->second);
}

const Claim* Bindings::claim(const IpAddress& floating, std::string_view origin) const {
  for (const Claim& each : claims(floating)) {
    if (each.origin == origin) return &each;
  }
  return nullptr;
}

const AddressSet* Bindings::with_fixed(const IpAddress& fixed) const {
  return find_set(by_fixed_, fixed);
}

const AddressSet* Bindings::with_interface(std::string_view interface) const {
  return find_set(by_interface_, interface);
}

std::vector<IpAddress> Bindings::without_interface_in(const Prefix& prefix) const {
  std::vector<IpAddress> found;
  const IpAddress last = prefix.last();
  for (auto at = unnamed_.lower_bound({prefix.address(), IpAddress()});
       at != unnamed_.end() && at->first <= last; ++at) {
    found.push_back(at->second);
  }
  // One that forwards to several of them is there several times.
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

std::vector<IpAddress> Bindings::floatings() const {
  std::vector<IpAddress> all;
  all.reserve(claims_.size());
  for (const auto& [floating, claims] : claims_) all.push_back(floating);
  return all;
}

void Bindings::index(const Binding& binding) {
  const bool named = !binding.interface.empty();
  if (named) by_interface_[binding.interface].insert(binding.floating);
  binding.for_each_fixed([&](const IpAddress& fixed) {
    by_fixed_[fixed].insert(binding.floating);
    if (!named) unnamed_.emplace(fixed, binding.floating);
  });
}

void Bindings::unindex(const Binding& binding) {
  const bool named = !binding.interface.empty();
  if (named) erase_from(by_interface_, binding.interface, binding.floating);
  binding.for_each_fixed([&](const IpAddress& fixed) {
    erase_from(by_fixed_, fixed, binding.floating);
    if (!named) unnamed_.erase({fixed, binding.floating});
  });
}

}  // namespace fipd
