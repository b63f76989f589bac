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
  if (places_.size() > kMost) {
    problem_ = fmt::format(
        "more than {} interfaces wait for instances that are migrated here: "
        "of the rest only the controller tells",
        kMost);
    return;
  }
  auto on_heard = [this, interface](const Heard& told) { heard(interface, told); };
  auto opened = ArrivalSocket::open(executor_, interface, std::move(on_heard));
  if (opened) {
    place.socket = std::move(*opened);
    problem_.clear();
    return;
  }
  // Said once, not for every address that waits.
  if (problem_.empty()) spdlog::warn("{}", opened.error().message());
  problem_ = opened.error().message();
}

void ArrivalWatch::forget(const IpAddress& floating) {
  const auto at = interface_of_.find(floating);
  if (at == interface_of_.end()) return;
  const auto place = places_.find(at->second);
  interface_of_.erase(at);
  place->second.waiting.erase(floating);
  if (!place->second.waiting.empty()) return;
  if (place->second.socket) place->second.socket->close();
  places_.erase(place);
  if (places_.empty()) problem_.clear();
}

void ArrivalWatch::close() {
  for (auto& [interface, place] : places_) {
    if (place.socket) place.socket->close();
  }
  places_.clear();
  interface_of_.clear();
}

std::string ArrivalWatch::problem() const { return problem_; }

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
