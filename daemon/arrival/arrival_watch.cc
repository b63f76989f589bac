#include "daemon/arrival/arrival_watch.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace fipd::arrival {

void ArrivalWatch::want(const IpAddress& floating, unsigned interface,
                        std::vector<IpAddress> fixed) {
  const auto at = interface_of_.find(floating);
  if (at != interface_of_.end() && at->second != interface) forget(floating);
  interface_of_[floating] = interface;
  Place& place = places_[interface];
  place.waiting[floating] = std::move(fixed);
  if (!place.socket) open(interface, place);
}

void ArrivalWatch::open(unsigned interface, Place& place) {
  if (listening_ == most_) {
    beyond_.insert(interface);
    return;
  }
  beyond_.erase(interface);
  auto on_heard = [this, interface](const Heard& told) { heard(interface, told); };
  auto opened = ArrivalSocket::open(executor_, interface, std::move(on_heard));
  if (!opened) {
    // Said once, not for every interface that is refused.
    if (refused_.empty()) spdlog::warn("{}", opened.error().message());
    refused_.insert(interface);
    refusal_ = opened.error().message();
    return;
  }
  refused_.erase(interface);
  place.socket = std::move(*opened);
  ++listening_;
}

void ArrivalWatch::forget(const IpAddress& floating) {
  const auto at = interface_of_.find(floating);
  if (at == interface_of_.end()) return;
  const auto place = places_.find(at->second);
  interface_of_.erase(at);
  place->second.waiting.erase(floating);
  if (place->second.waiting.empty()) drop(place);
}

void ArrivalWatch::drop(std::map<unsigned, Place>::iterator place) {
  if (place->second.socket) {
    place->second.socket->close();
    --listening_;
  }
  beyond_.erase(place->first);
  refused_.erase(place->first);
  places_.erase(place);
  if (beyond_.empty() || listening_ == most_) return;
  const auto next = places_.find(*beyond_.begin());
  open(next->first, next->second);
}

void ArrivalWatch::close() {
  for (auto& [interface, place] : places_) {
    if (place.socket) place.socket->close();
  }
  places_.clear();
  interface_of_.clear();
  beyond_.clear();
  refused_.clear();
  listening_ = 0;
}

std::string ArrivalWatch::problem() const {
  if (!refused_.empty()) return refusal_;
  if (beyond_.empty()) return "";
  return fmt::format(
      "{} interfaces wait for instances that are migrated here, and {} are listened to at a time: "
      "of the others only the controller tells",
      places_.size(), most_);
}

void ArrivalWatch::heard(unsigned interface, const Heard& heard) {
  const auto place = places_.find(interface);
  if (place == places_.end()) return;
  std::vector<IpAddress> arrived;
  for (const auto& [floating, fixed] : place->second.waiting) {
    const bool its_own =
        !heard.address || std::find(fixed.begin(), fixed.end(), *heard.address) != fixed.end();
    if (its_own) arrived.push_back(floating);
  }
  for (const IpAddress& floating : arrived) {
    forget(floating);
    on_arrival_(floating);
  }
}

}  // namespace fipd::arrival
