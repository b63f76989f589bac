#include "daemon/state/derive.h"

#include <algorithm>

namespace fipd {
namespace {

std::optional<Refusal> unusable(const IpAddress& address, std::string_view role) {
  std::string_view kind;
  if (address.is_unspecified()) kind = "the unspecified address";
  if (address.is_loopback()) kind = "a loopback address";
  if (address.is_multicast()) kind = "a multicast address";
  if (address.is_v4()) {
    const std::uint32_t bits = address.to_v4().to_uint();
    if (bits >> 24 == 0) kind = "in 0.0.0.0/8 (this network)";
    if (bits >> 24 == 127) kind = "a loopback address";
    if (bits >> 16 == 0xa9fe) kind = "a link-local address";
    if (bits == 0xffffffff) kind = "the broadcast address";
  } else if (address.to_v6().is_link_local()) {
    kind = "a link-local address";
  }
  if (kind.empty()) return std::nullopt;
  return Refusal{"unusable_address", fmt::format("{} {} is {}", role, address, kind)};
}

// Null: `waiting` says why.
const bgp::Link* named_link(const Binding& binding, const Host& host, std::string& waiting) {
  const bgp::Link* link = host.link(binding.interface);
  if (link == nullptr) waiting = fmt::format("no interface {} on this host", binding.interface);
  return link;
}

const bgp::Link* link_to(const IpAddress& fixed, const Host& host, InterfaceLookup interface_to,
                         std::string& waiting, bool& blind) {
  const auto found = interface_to(fixed);
  if (!found) {
    waiting = found.error().message();
    blind = true;
  } else if (!*found) {
    waiting = fmt::format("no local interface leads to {}", fixed);
  } else if (const bgp::Link* link = host.link(**found)) {
    return link;
  } else {
    waiting = fmt::format("interface {} to {} is gone", **found, fixed);
  }
  return nullptr;
}

bool is_usable(const bgp::Link& link, std::string& waiting) {
  if (!link.up) {
    waiting = fmt::format("interface {} is down", link.name);
  } else if (!link.carrier) {
    waiting = fmt::format("interface {} has no carrier", link.name);
  }
  return link.up && link.carrier;
}

// The interface by which the floating IP is routed: its own, else that of the first instance it
// leads to that has a usable one.
const bgp::Link* usable_link(const Binding& binding, const Host& host, InterfaceLookup interface_to,
                             Desired& desired) {
  std::string& waiting = desired.waiting;
  if (!binding.interface.empty()) {
    const bgp::Link* link = named_link(binding, host, waiting);
    return link != nullptr && is_usable(*link, waiting) ? link : nullptr;
  }
  const bgp::Link* usable = nullptr;
  const IpAddress* last = nullptr;  // forwards to one instance are looked at once
  binding.for_each_fixed([&](const IpAddress& fixed) {
    if (usable != nullptr || (last != nullptr && *last == fixed)) return;
    last = &fixed;
    // Of several that cannot be used, the first one's reason is told.
    std::string reason;
    const bgp::Link* link = link_to(fixed, host, interface_to, reason, desired.blind);
    if (link != nullptr && is_usable(*link, reason)) usable = link;
    if (waiting.empty()) waiting = std::move(reason);
  });
  if (usable != nullptr) {
    waiting.clear();
    desired.blind = false;
  }
  return usable;
}

// Whether `binding` may lead to `fixed`.
std::optional<Refusal> refusal_of_fixed(const Binding& binding, const IpAddress& fixed,
                                        FunctionRef<bool(const IpAddress&)> is_floating) {
  if (binding.floating.is_v4() != fixed.is_v4()) {
    return Refusal{"mixed_families",
                   fmt::format("{} and {} are of different families", binding.floating, fixed)};
  }
  if (auto bad = unusable(fixed, "fixed IP")) return bad;
  if (is_floating(fixed)) {
    return Refusal{"fixed_is_floating",
                   fmt::format("the fixed IP {} is itself a floating IP", fixed)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> refusal_of(const Binding& binding, const DeriveRules& rules,
                                  const Host& host,
                                  FunctionRef<bool(const IpAddress&)> is_floating) {
  const IpAddress& floating = binding.floating;
  if (auto bad = unusable(floating, "floating IP")) return bad;
  const bool admitted = rules.pools.empty() ||
                        std::any_of(rules.pools.begin(), rules.pools.end(),
                                    [&](const Prefix& pool) { return pool.contains(floating); });
  if (!admitted) {
    return Refusal{"outside_pools", fmt::format("{} is outside pools.allowed", floating)};
  }
  if (host.owns(floating)) {
    return Refusal{"own_address", fmt::format("{} is an address of this host", floating)};
  }
  if (binding.extras->color != 0 && floating.is_v6()) {
    return Refusal{
        "color_of_ipv6",
        fmt::format("{} cannot have a color: the kernel keeps no realms of IPv6 routes", floating)};
  }
  std::optional<Refusal> refusal;
  const IpAddress* last = nullptr;  // forwards to one instance are looked at once
  binding.for_each_fixed([&](const IpAddress& fixed) {
    if (refusal || (last != nullptr && *last == fixed)) return;
    refusal = refusal_of_fixed(binding, fixed, is_floating);
    last = &fixed;
  });
  return refusal;
}

std::uint32_t metric_of(const Binding& binding, const DeriveRules& rules, Steer steer) {
  if (steer == Steer::kPreferred) return rules.preferred_metric;
  if (steer == Steer::kDrained) return rules.drained_metric;
  constexpr std::uint64_t kNormal = 100;  // of 200
  const std::uint64_t preference = binding.extras->preference.value_or(kNormal);
  if (preference >= kNormal) {
    const std::uint64_t room = rules.metric - rules.preferred_metric - 1;
    return static_cast<std::uint32_t>(rules.metric - room * (preference - kNormal) / kNormal);
  }
  const std::uint64_t room = rules.drained_metric - rules.metric - 1;
  return static_cast<std::uint32_t>(rules.metric + room * (kNormal - preference) / kNormal);
}

Desired derive(const Binding& binding, const DeriveRules& rules, const Host& host,
               const Bindings& bindings, InterfaceLookup interface_to, Steer steer) {
  Desired desired;
  const auto is_floating = [&](const IpAddress& address) {
    return address == binding.floating || bindings.winner(address) != nullptr;
  };
  desired.refusal = refusal_of(binding, rules, host, is_floating);
  if (desired.refusal) return desired;
  desired.limits = binding.extras->limits.value_or(rules.default_limits);
  if (const auto* link = usable_link(binding, host, interface_to, desired)) {
    desired.interface = link->index;
    if (steer == Steer::kWithdrawn) return desired;
    desired.route = bgp::HostRoute{binding.floating, metric_of(binding, rules, steer), link->index,
                                   binding.extras->color};
  }
  return desired;
}

std::string without_way(const Binding& binding, InterfaceLookup interface_to) {
  std::string out;
  if (binding.interface.empty()) return out;  // routed by that way only
  binding.for_each_fixed([&](const IpAddress& fixed) {
    const auto found = interface_to(fixed);
    if (!out.empty() || !found || *found) return;
    out = fmt::format("no local interface leads to {}: see ip route get {}", fixed, fixed);
  });
  return out;
}

}  // namespace fipd
