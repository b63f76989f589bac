#include "daemon/base/netlink_socket.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>
#include <utility>

namespace fipd {
namespace {

// The kernel fills dump datagrams up to the size of the reader's buffer, 32 KiB at most by its own
// word (netlink_dump: max_recvmsg_len); a batch's acknowledgements come one datagram each.
constexpr std::size_t kBufferSize = 64 * 1024;

void set_buffer(int fd, int force_option, int option, int bytes) {
  if (bytes <= 0) return;
  if (setsockopt(fd, SOL_SOCKET, force_option, &bytes, sizeof bytes) == 0) return;
  // Without CAP_NET_ADMIN in the initial user namespace: as much as the limits allow.
  (void)setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
}

}  // namespace

Result<NetlinkSocket> NetlinkSocket::open(int bus, const NetlinkOptions& options) {
  mnl_socket* raw = mnl_socket_open2(bus, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (raw == nullptr) return fail_errno(errno, "open netlink socket");
  NetlinkSocket socket(raw);
  set_buffer(socket.fd(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  set_buffer(socket.fd(), SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer);
  if (options.strict) {
    int on = 1;
    if (mnl_socket_setsockopt(raw, NETLINK_GET_STRICT_CHK, &on, sizeof on) < 0) {
      return fail_errno(errno, "netlink strict checking");
    }
  }
  if (mnl_socket_bind(raw, 0, MNL_SOCKET_AUTOPID) < 0) return fail_errno(errno, "bind netlink");
  for (unsigned group : options.groups) {
    if (auto joined = socket.join(group); !joined) return fail(std::move(joined).error());
  }
  return socket;
}

NetlinkSocket::NetlinkSocket(mnl_socket* socket)
    : socket_(socket),
      sequence_(static_cast<std::uint32_t>(std::time(nullptr))),
      buffer_(kBufferSize) {}

NetlinkSocket::NetlinkSocket(NetlinkSocket&& other) noexcept
    : socket_(std::exchange(other.socket_, nullptr)),
      sequence_(other.sequence_),
      buffer_(std::move(other.buffer_)) {}

NetlinkSocket& NetlinkSocket::operator=(NetlinkSocket&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(sequence_, other.sequence_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

NetlinkSocket::~NetlinkSocket() {
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

int NetlinkSocket::fd() const { return mnl_socket_get_fd(socket_); }

std::uint32_t NetlinkSocket::port() const { return mnl_socket_get_portid(socket_); }

std::uint32_t NetlinkSocket::next_sequence() {
  if (++sequence_ == 0) ++sequence_;
  return sequence_;
}

Result<std::size_t> NetlinkSocket::read_datagram() {
  for (;;) {
    const auto got = recv(fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got >= 0 && static_cast<std::size_t>(got) > buffer_.size()) {
      // Never seen, but a cut datagram must not pass for a whole one.
      buffer_.resize(static_cast<std::size_t>(got));
      return fail_errno(ENOBUFS, "netlink datagram larger than the buffer");
    }
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
    return fail_errno(errno, "netlink receive");
  }
}

Outcome NetlinkSocket::exchange(std::span<const std::byte> request, OnMessage on_message) {
  // What an earlier, abandoned exchange left behind must not be taken for the answer.
  for (auto stale = read_datagram(); stale && *stale > 0;) stale = read_datagram();
  if (mnl_socket_sendto(socket_, request.data(), request.size()) < 0) {
    return fail_errno(errno, "netlink send");
  }
  bool wanted = true;
  for (;;) {
    const auto size = read_datagram();
    if (!size) return fail(size.error());
    if (*size == 0) return {};
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    int left = static_cast<int>(*size);
    while (wanted && mnl_nlmsg_ok(header, left)) {
      wanted = on_message(*header);
      header = mnl_nlmsg_next(header, &left);
    }
  }
}

Result<bool> NetlinkSocket::receive(OnMessage on_message, unsigned limit) {
  for (unsigned count = 0; count < limit; ++count) {
    const auto size = read_datagram();
    if (!size) return fail(size.error());
    if (*size == 0) return false;
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
    int left = static_cast<int>(*size);
    while (mnl_nlmsg_ok(header, left)) {
      if (!on_message(*header)) return true;
      header = mnl_nlmsg_next(header, &left);
    }
  }
  return true;
}

Outcome NetlinkSocket::join(unsigned group) {
  int number = static_cast<int>(group);
  if (mnl_socket_setsockopt(socket_, NETLINK_ADD_MEMBERSHIP, &number, sizeof number) == 0)
    return {};
  return fail_errno(errno, fmt::format("join netlink group {}", group));
}

void NetlinkSocket::leave(unsigned group) {
  int number = static_cast<int>(group);
  // The kernel refuses only groups that do not exist.
  (void)mnl_socket_setsockopt(socket_, NETLINK_DROP_MEMBERSHIP, &number, sizeof number);
}

Outcome NetlinkSocket::ignore_events_of(std::span<const std::uint32_t> ports) {
  // Classic BPF over the first nlmsghdr; nlmsg_pid is at offset 12, and BPF loads big-endian.
  std::vector<sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 12));
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto to_drop = static_cast<std::uint8_t>(ports.size() - i);
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(ports[i]), to_drop, 0));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffffffffU));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = program.data();
  if (setsockopt(fd(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) {
    return fail_errno(errno, "attach netlink filter");
  }
  return {};
}

}  // namespace fipd
