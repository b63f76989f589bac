#pragma once

#include <memory>

#include "daemon/base/netlink_socket.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// Whether packets of a link may go to the host's loopback addresses (IPv4; the sysctl
// net.ipv4.conf.NAME.route_localnet). Narrow: the seam for the fake.
class LinkSettings {
 public:
  virtual ~LinkSettings() = default;

  // kNotFound where there is no such link.
  [[nodiscard]] virtual Result<bool> routes_localnet(unsigned interface) = 0;
  [[nodiscard]] virtual Outcome route_localnet(unsigned interface) = 0;
};

// By rtnetlink, which needs no writable /proc/sys.
class KernelLinkSettings : public LinkSettings {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KernelLinkSettings>> open();

  [[nodiscard]] Result<bool> routes_localnet(unsigned interface) override;
  [[nodiscard]] Outcome route_localnet(unsigned interface) override;

 private:
  explicit KernelLinkSettings(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace fipd::bgp
