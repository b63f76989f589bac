#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

struct Link {
  unsigned index = 0;
  std::string name;
  bool up = false;       // IFF_UP: administratively
  bool carrier = false;  // IFF_LOWER_UP: somebody holds the other end (a running instance)

  friend bool operator==(const Link&, const Link&) = default;
};

struct LocalAddress {
  IpAddress address;
  unsigned interface = 0;

  friend bool operator==(const LocalAddress&, const LocalAddress&) = default;
};

// Whether packets that came in are sent on: the sysctls net.ipv4.conf.*.forwarding and
// net.ipv6.conf.*.forwarding.
struct Forwarding {
  bool v4 = true;
  std::optional<unsigned> interface;  // none: conf.all
  bool on = false;

  friend bool operator==(const Forwarding&, const Forwarding&) = default;
};

// The host's links, addresses and routing decisions, read on demand. One caller at a time.
class Network {
 public:
  virtual ~Network() = default;

  [[nodiscard]] virtual Result<std::vector<Link>> links() = 0;
  [[nodiscard]] virtual Result<std::vector<LocalAddress>> addresses() = 0;
  // Of both families; of IPv6 nothing where the kernel has none.
  [[nodiscard]] virtual Result<std::vector<Forwarding>> forwarding() = 0;
  // The interface by which the kernel's own tables deliver to `destination` directly: the route is
  // unicast and without a gateway ("10.65.0.13 dev tap9a7e0868-da scope link"). Nothing where the
  // kernel would hand it to a gateway, or has no route, or the address is the host's own.
  [[nodiscard]] virtual Result<std::optional<unsigned>> interface_to(
      const IpAddress& destination) = 0;
};

// A route changed that fipd did not change, in any table.
struct RouteEvent {
  Prefix destination;
  std::uint32_t table = 0;
  unsigned protocol = 0;  // rtm_protocol
  std::uint32_t metric = 0;
  bool removed = false;
  std::uint32_t port = 0;  // netlink port of who did it: usually a process id, 0 for the kernel
};

// What NetworkMonitor calls, on the event loop's thread.
class NetworkObserver {
 public:
  virtual ~NetworkObserver() = default;

  virtual void link_changed(const Link& link) = 0;
  virtual void link_removed(unsigned index) = 0;
  virtual void address_added(const LocalAddress& address) = 0;
  // The kernel may have dropped IPv4 routes of that interface without a word.
  virtual void address_removed(const LocalAddress& address) = 0;
  virtual void route_changed(const RouteEvent& event) = 0;
  virtual void forwarding_changed(const Forwarding& setting) = 0;
  // Events were lost (ENOBUFS): read everything again.
  virtual void network_overrun() = 0;
};

}  // namespace fipd::bgp
