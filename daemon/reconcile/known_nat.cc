#include "daemon/reconcile/known_nat.h"

#include <algorithm>
#include <utility>

namespace fipd {
namespace {

nat::Counter larger(const nat::Counter& a, const nat::Counter& b) {
  return {std::max(a.packets, b.packets), std::max(a.bytes, b.bytes)};
}

nat::Traffic find_in(const KnownNat::Reading& reading, const IpAddress& floating) {
  if (!reading) return {};
  const auto at = std::lower_bound(
      reading->begin(), reading->end(), floating,
      [](const nat::Traffic& each, const IpAddress& wanted) { return each.address < wanted; });
  return at == reading->end() || at->address != floating ? nat::Traffic() : *at;
}

}  // namespace

bool comes_before(const PortForward& a, const PortForward& b) {
  return a.protocol != b.protocol ? a.protocol < b.protocol : a.port < b.port;
}

KnownNat::KnownNat(std::span<const nat::Element> dump) {
  for (const nat::Element& each : dump) read(each);
  for (auto& [floating, forwards] : forwards_) {
    std::sort(forwards.begin(), forwards.end(), comes_before);
  }
  // Which floating IPs stand behind the hairpins.
  if (hairpins_.empty()) return;
  for (const auto& [floating, fixed] : fixed_by_floating_) {
    if (const auto at = hairpins_.find(fixed); at != hairpins_.end()) at->second = floating;
  }
}

void KnownNat::read(const nat::Element& element) {
  const IpAddress& key = element.key.address;
  switch (element.map) {
    case nat::Map::kFixedByFloating:
    case nat::Map::kFloatingByFixed:
      if (const auto* to = std::get_if<IpAddress>(&element.value))
        addresses(element.map)[key] = *to;
      return;
    case nat::Map::kHairpin:
      hairpins_[key] = IpAddress();
      return;
    case nat::Map::kForwards:
      if (const auto* to = std::get_if<nat::Endpoint>(&element.value)) {
        forwards_[key].push_back({element.key.protocol, element.key.port, *to});
        ++forwarded_to_[to->address];
      }
      return;
    case nat::Map::kConnections:
      if (const auto* count = std::get_if<nat::Count>(&element.value)) {
        meters_[key].connections = *count;
      }
      return;
    default:
      break;
  }
  if (const auto* rate = std::get_if<nat::Rate>(&element.value)) {
    Meters& meters = meters_[key];
    if (element.map == nat::Map::kRateIn) meters.in = *rate;
    if (element.map == nat::Map::kRateOut) meters.out = *rate;
    if (element.map == nat::Map::kNewConnections) meters.new_connections = *rate;
  } else if (const auto* counter = std::get_if<nat::Counter>(&element.value)) {
    Account& account = accounts_[key];
    (element.map == nat::Map::kSent ? account.sent : account.received) = *counter;
  }
}

const KnownNat::Addresses& KnownNat::addresses(nat::Map map) const {
  if (map == nat::Map::kFixedByFloating) return fixed_by_floating_;
  return map == nat::Map::kFloatingByFixed ? floating_by_fixed_ : hairpins_;
}

std::optional<IpAddress> KnownNat::find(nat::Map map, const IpAddress& key) const {
  const Addresses& elements = addresses(map);
  const auto at = elements.find(key);
  if (at == elements.end()) return std::nullopt;
  return at->second;
}

void KnownNat::set(nat::Map map, const IpAddress& key, const std::optional<IpAddress>& value) {
  Addresses& elements = addresses(map);
  if (value) {
    elements[key] = *value;
  } else {
    elements.erase(key);
  }
}

const PortForwards& KnownNat::forwards(const IpAddress& floating) const {
  static const PortForwards kNone;
  if (forwards_.empty()) return kNone;
  const auto at = forwards_.find(floating);
  return at == forwards_.end() ? kNone : at->second;
}

void KnownNat::set_forwards(const IpAddress& floating, PortForwards forwards) {
  for (const PortForward& each : this->forwards(floating)) {
    const auto at = forwarded_to_.find(each.to.address);
    if (at != forwarded_to_.end() && --at->second == 0) forwarded_to_.erase(at);
  }
  for (const PortForward& each : forwards) ++forwarded_to_[each.to.address];
  if (forwards.empty()) {
    forwards_.erase(floating);
  } else {
    forwards_[floating] = std::move(forwards);
  }
}

Meters KnownNat::meters(const IpAddress& floating) const {
  if (meters_.empty()) return {};
  const auto at = meters_.find(floating);
  return at == meters_.end() ? Meters() : at->second;
}

void KnownNat::set_meters(const IpAddress& floating, const Meters& meters) {
  if (meters == Meters()) {
    meters_.erase(floating);
  } else {
    meters_[floating] = meters;
  }
}

const Account* KnownNat::account(const IpAddress& floating) const {
  if (accounts_.empty()) return nullptr;
  const auto at = accounts_.find(floating);
  return at == accounts_.end() ? nullptr : &at->second;
}

void KnownNat::inherit_accounts(const KnownNat& before, const Reading& last, unsigned number) {
  for (const auto& [floating, old] : before.accounts_) {
    Account& account = accounts_[floating];
    account.reading = old.reading;
    account.lost_received = old.lost_received;
    account.lost_sent = old.lost_sent;
    // A reading from before it began to count is of another's time.
    const nat::Traffic read = number > old.reading ? find_in(last, floating) : nat::Traffic();
    if (old.received && !account.received) {
      account.lost_received = larger(*old.received, read.received);
    }
    if (old.sent && !account.sent) account.lost_sent = larger(*old.sent, read.sent);
  }
}

std::vector<Forward> KnownNat::forwards_in_ranges(const IpAddress& floating) const {
  std::vector<Forward> out;
  for (const PortForward& each : forwards(floating)) {
    const auto protocol = static_cast<Protocol>(each.protocol);
    if (!out.empty()) {
      Forward& last = out.back();
      const bool next = last.protocol == protocol && last.fixed == each.to.address &&
                        last.port + last.count == each.port &&
                        last.fixed_port + last.count == each.to.port;
      if (next) {
        ++last.count;
        continue;
      }
    }
    out.push_back({protocol, each.port, 1, each.to.address, each.to.port});
  }
  return out;
}

void KnownNat::reserve(std::size_t pairs) {
  fixed_by_floating_.reserve(pairs);
  floating_by_fixed_.reserve(pairs);
}

void KnownNat::copy_floating(const KnownNat& other, const IpAddress& floating) {
  set(nat::Map::kFixedByFloating, floating, other.find(nat::Map::kFixedByFloating, floating));
  // Not by set_forwards(): how many lead to an instance is copied with that.
  const PortForwards& forwards = other.forwards(floating);
  if (!forwards.empty()) forwards_[floating] = forwards;
  set_meters(floating, other.meters(floating));
  if (const Account* account = other.account(floating)) accounts_[floating] = *account;
}

void KnownNat::copy_fixed(const KnownNat& other, const IpAddress& fixed) {
  for (const nat::Map map : {nat::Map::kFloatingByFixed, nat::Map::kHairpin}) {
    set(map, fixed, other.find(map, fixed));
  }
  const auto at = other.forwarded_to_.find(fixed);
  if (at != other.forwarded_to_.end()) forwarded_to_[fixed] = at->second;
}

}  // namespace fipd
