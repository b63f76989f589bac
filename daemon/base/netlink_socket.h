#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/base/function_ref.h"
#include "daemon/base/result.h"

struct mnl_socket;  // libmnl

namespace fipd {

struct NetlinkOptions {
  // Multicast groups (numbers, not bits). A socket that joins any is for events only.
  std::vector<unsigned> groups;
  // Bytes, forced beyond rmem_max and wmem_max where CAP_NET_ADMIN allows. 32 MiB hold about
  // 40,000 route events; a batch of 1.7 MB is EMSGSIZE without a larger send buffer.
  int receive_buffer = 32 << 20;
  int send_buffer = 32 << 20;
  // NETLINK_GET_STRICT_CHK: dumps are filtered by the kernel. rtnetlink only.
  bool strict = false;
};

// One netlink socket over libmnl, non-blocking. Kept for life: closing a netfilter socket right
// after a delete costs about 8 ms. One user at a time; may be used from any thread.
class NetlinkSocket {
 public:
  // `bus` is NETLINK_ROUTE or NETLINK_NETFILTER.
  [[nodiscard]] static Result<NetlinkSocket> open(int bus, const NetlinkOptions& options);

  NetlinkSocket(NetlinkSocket&& other) noexcept;
  NetlinkSocket& operator=(NetlinkSocket&& other) noexcept;
  NetlinkSocket(const NetlinkSocket&) = delete;
  NetlinkSocket& operator=(const NetlinkSocket&) = delete;
  ~NetlinkSocket();

  [[nodiscard]] int fd() const;
  // Our port: what the kernel puts into nlmsg_pid of the events that we caused.
  [[nodiscard]] std::uint32_t port() const;
  // Never 0, wraps.
  [[nodiscard]] std::uint32_t next_sequence();

  // Returning false stops the reading, and what is left in the queue is thrown away.
  using OnMessage = FunctionRef<bool(const nlmsghdr&)>;

  // Sends `request`, one or many messages back to back, and hands every answer to `on_message`
  // (NLMSG_ERROR and NLMSG_DONE too). The kernel has answered by the time the send returns, so
  // this never waits. kKernel where the send itself fails.
  [[nodiscard]] Outcome exchange(std::span<const std::byte> request, OnMessage on_message);

  // For an event socket: hands over what is queued, at most `limit` datagrams. os_error() is
  // ENOBUFS where events were lost: read the state anew. True: there is more.
  [[nodiscard]] Result<bool> receive(OnMessage on_message, unsigned limit = 64);

  // Multicast groups, beyond those it was opened with.
  [[nodiscard]] Outcome join(unsigned group);
  void leave(unsigned group);

  // Drops, in the kernel, every datagram whose first message was caused by `port`: a writer's own
  // echo never costs its monitor anything.
  [[nodiscard]] Outcome ignore_events_of(std::span<const std::uint32_t> ports);

 private:
  explicit NetlinkSocket(mnl_socket* socket);
  // Bytes received, 0 where the queue is empty.
  [[nodiscard]] Result<std::size_t> read_datagram();

  mnl_socket* socket_ = nullptr;
  std::uint32_t sequence_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace fipd
