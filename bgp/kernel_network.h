#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "bgp/network.h"
#include "daemon/base/netlink_socket.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// The host's network over one rtnetlink socket, in the namespace in which it was opened.
class KernelNetwork : public Network {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KernelNetwork>> open();

  [[nodiscard]] Result<std::vector<Link>> links() override;
  [[nodiscard]] Result<std::vector<LocalAddress>> addresses() override;
  [[nodiscard]] Result<std::vector<Forwarding>> forwarding() override;
  [[nodiscard]] Result<std::optional<unsigned>> interface_to(const IpAddress& destination) override;

 private:
  explicit KernelNetwork(NetlinkSocket socket) : socket_(std::move(socket)) {}

  NetlinkSocket socket_;
};

}  // namespace fipd::bgp
