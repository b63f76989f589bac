#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "daemon/base/netlink_socket.h"
#include "nat/connections.h"
#include "nat/conntrack_message.h"

namespace fipd::nat {

// The kernel's connection tracking table over ctnetlink. One pass of the table a family, however
// many translations are gone; for very few, the kernel is asked for their addresses' connections
// only, which walks the table for each end of each address, but spells out nothing else.
class KernelConnections : public Connections {
 public:
  // Sends requests and hands over every answer: NetlinkSocket::exchange.
  using Exchange = std::function<Outcome(std::span<const std::byte>, NetlinkSocket::OnMessage)>;

  [[nodiscard]] static Result<std::unique_ptr<KernelConnections>> open();
  explicit KernelConnections(Exchange exchange) : exchange_(std::move(exchange)) {}

  // kUnavailable with the remedy where the kernel has no ctnetlink.
  [[nodiscard]] Result<std::size_t> flush(std::span<const Translation> gone) override;
  [[nodiscard]] Result<std::vector<std::size_t>> count(
      std::span<const IpAddress> addresses) override;

 private:
  struct Hash {
    std::size_t operator()(const Translation& translation) const noexcept;
  };
  // And whether what leaves under them is looked for, too.
  using Floatings = std::unordered_map<IpAddress, bool, AddressHash>;
  // Of whole addresses, of ports, and floating addresses with the only fixed one that is right.
  struct Gone {
    std::unordered_set<Translation, Hash> addresses;
    std::unordered_set<Translation, Hash> ports;
    std::unordered_map<IpAddress, IpAddress, AddressHash> others;
    Floatings floatings;  // of all of them

    void add(const Translation& translation);
    [[nodiscard]] bool holds(const ConnectionView& connection) const;
    [[nodiscard]] bool leads_elsewhere(const IpAddress& floating, const IpAddress& fixed) const;
  };
  // Requests for deletion back to back, cut into pieces that one send takes.
  using Deletions = std::vector<std::vector<std::byte>>;

  // Hands over every connection of a dump; of a whole family.
  template <typename Visit>
  [[nodiscard]] Outcome walk(std::span<const std::byte> request, Visit visit);
  template <typename Visit>
  [[nodiscard]] Outcome walk_all(int family, Visit visit);
  // All connections of these addresses, perhaps others as well, and one perhaps twice.
  template <typename Visit>
  [[nodiscard]] Outcome walk_about(int family, const Floatings& floatings, Visit visit);
  [[nodiscard]] Result<std::size_t> collect(int family, const Gone& gone, Deletions& out);
  // How many of them the kernel did not carry out, because they had ended by themselves.
  [[nodiscard]] Result<std::size_t> remove(const Deletions& deletions);

  Exchange exchange_;
  std::uint32_t sequence_ = 0;
};

}  // namespace fipd::nat
