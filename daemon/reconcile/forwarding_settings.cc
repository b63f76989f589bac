#include "daemon/reconcile/forwarding_settings.h"

#include <algorithm>

#include <fmt/format.h>

namespace fipd {
namespace {

// The loopback interface, in every network namespace (LOOPBACK_IFINDEX of the kernel).
constexpr unsigned kLoopback = 1;

}  // namespace

void ForwardingSettings::read(const std::vector<bgp::Forwarding>& all) {
  all6_.reset();
  links_.clear();
  for (const bgp::Forwarding& each : all) put(each);
}

void ForwardingSettings::put(const bgp::Forwarding& setting) {
  if (!setting.v4) {
    if (!setting.interface) all6_ = setting.on;
  } else if (setting.interface && *setting.interface != kLoopback) {
    links_[*setting.interface] = setting.on;
  }
}

std::vector<std::string> ForwardingSettings::warnings(const Host& host,
                                                      const Bindings& bindings) const {
  std::vector<std::string> out;
  if (bindings.any_v4()) {
    if (nowhere()) {
      out.emplace_back(
          "the host does not forward IPv4, so nothing comes to instances or from them: "
          "sysctl net.ipv4.ip_forward=1");
    } else if (std::string deaf = deaf_links(host, bindings); !deaf.empty()) {
      out.push_back(std::move(deaf));
    }
  }
  if (bindings.any_v6() && all6_ == false) {
    out.emplace_back(
        "the host does not forward IPv6, so nothing comes to instances or from them: "
        "sysctl net.ipv6.conf.all.forwarding=1");
  }
  return out;
}

bool ForwardingSettings::nowhere() const {
  return !links_.empty() &&
         std::none_of(links_.begin(), links_.end(), [](const auto& each) { return each.second; });
}

std::string ForwardingSettings::deaf_links(const Host& host, const Bindings& bindings) const {
  const std::string* first = nullptr;
  std::size_t count = 0;
  for (const auto& [index, on] : links_) {
    const bgp::Link* link = on ? nullptr : host.link(index);
    if (link == nullptr || bindings.with_interface(link->name) == nullptr) continue;
    if (first == nullptr) first = &link->name;
    ++count;
  }
  if (first == nullptr) return "";
  return fmt::format(
      "IPv4 that comes from {} interface(s) of instances is not forwarded: "
      "sysctl net.ipv4.conf.{}.forwarding=1",
      count, *first);
}

}  // namespace fipd
