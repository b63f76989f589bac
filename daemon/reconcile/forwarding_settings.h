#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bgp/network.h"
#include "daemon/state/bindings.h"
#include "daemon/state/host.h"

namespace fipd {

// Whether the host sends on what comes in, as the last read and the events since then told. fipd
// sets none of it: that a host is a router is its operator's decision. Pure; one thread.
class ForwardingSettings {
 public:
  void read(const std::vector<bgp::Forwarding>& all);
  void put(const bgp::Forwarding& setting);
  void link_removed(unsigned index) { links_.erase(index); }

  // What keeps packets from the instances of `bindings`, of the families that these have.
  [[nodiscard]] std::vector<std::string> warnings(const Host& host, const Bindings& bindings) const;

 private:
  [[nodiscard]] bool nowhere() const;
  [[nodiscard]] std::string deaf_links(const Host& host, const Bindings& bindings) const;

  // Nothing: not known. Of IPv6 the kernel asks conf.all alone, of IPv4 the interface by which a
  // packet comes in (ip6_forward() and ip_route_input_slow()).
  std::optional<bool> all6_;
  std::map<unsigned, bool> links_;  // IPv4's
};

}  // namespace fipd
