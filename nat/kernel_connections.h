#pragma once

#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/base/netlink_socket.h"
#include "nat/connections.h"
#include "nat/conntrack_message.h"

namespace fipd::nat {

// The kernel's connection tracking table over ctnetlink. One pass of the table a family, however
// many translations are gone: the kernel's own filters walk it whole for each address.
class KernelConnections : public Connections {
 public:
  [[nodiscard]] static Result<std::unique_ptr<KernelConnections>> open();

  // kUnavailable with the remedy where the kernel has no ctnetlink.
  [[nodiscard]] Result<std::size_t> flush(std::span<const Translation> gone) override;
  [[nodiscard]] Result<std::vector<std::size_t>> count(
      std::span<const IpAddress> addresses) override;

 private:
  struct Hash {
    std::size_t operator()(const Translation& translation) const noexcept;
  };
  // Of whole addresses, of ports, and floating addresses with the only fixed one that is right.
  struct Gone {
    std::unordered_set<Translation, Hash> addresses;
    std::unordered_set<Translation, Hash> ports;
    std::unordered_map<IpAddress, IpAddress, AddressHash> others;

    [[nodiscard]] bool holds(const ConnectionView& connection) const;
    [[nodiscard]] bool leads_elsewhere(const IpAddress& floating, const IpAddress& fixed) const;
  };
  // Requests for deletion back to back, cut into pieces that one send takes.
  using Deletions = std::vector<std::vector<std::byte>>;

  explicit KernelConnections(NetlinkSocket socket) : socket_(std::move(socket)) {}
  // Walks all connections of a family.
  template <typename Visit>
  [[nodiscard]] Outcome walk(int family, Visit visit);
  [[nodiscard]] Result<std::size_t> collect(int family, const Gone& gone, Deletions& out);
  // How many of them the kernel did not carry out, because they had ended by themselves.
  [[nodiscard]] Result<std::size_t> remove(const Deletions& deletions);

  NetlinkSocket socket_;
};

}  // namespace fipd::nat
