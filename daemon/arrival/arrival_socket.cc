#include "daemon/arrival/arrival_socket.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fipd::arrival {
namespace {

using boost::system::error_code;

constexpr int kMostAtOnce = 64;
constexpr std::chrono::milliseconds kPause{20};
constexpr std::size_t kEnough = 128;  // bytes of a packet; the longest that we decode has 64

// Offsets from the network header, as a datagram packet socket has it.
const std::array<sock_filter, 10> kFilter{{
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 6, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_RARP, 5, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 5),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),  // next header, hop limit
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6 << 8 | 255, 0, 3),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, kEnough),
    BPF_STMT(BPF_RET | BPF_K, 0),
}};

Error error_of(const char* what, unsigned interface) {
  const int number = errno;
  const bool refused = number == EPERM || number == EACCES;
  return Error(
      ErrorCode::kKernel,
      fmt::format("cannot listen for instances that arrive on interface {}: {}: {}{}", interface,
                  what, std::strerror(number),
                  refused ? "; give fipd CAP_NET_RAW, or set [route] take_over_when_heard = "
                            "false"
                          : ""));
}

// Nothing is heard before the filter is there: the protocol comes with the bind.
Outcome prepare(int fd, unsigned interface) {
  auto filter = kFilter;
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return fail(error_of("filter", interface));
  }
  const int yes = 1;
  if (::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0) {
    return fail(error_of("ignore outgoing", interface));
  }
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  place.sll_protocol = htons(ETH_P_ALL);
  place.sll_ifindex = static_cast<int>(interface);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&place), sizeof place) != 0) {
    return fail(error_of("bind", interface));
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<ArrivalSocket>> ArrivalSocket::open(
    const boost::asio::any_io_executor& executor, unsigned interface, OnHeard on_heard) {
  const int fd = ::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(error_of("packet socket", interface));
  if (auto prepared = prepare(fd, interface); !prepared) {
    ::close(fd);
    return fail(std::move(prepared).error());
  }
  std::shared_ptr<ArrivalSocket> made(new ArrivalSocket(executor, fd, std::move(on_heard)));
  made->wait();
  return made;
}

ArrivalSocket::ArrivalSocket(const boost::asio::any_io_executor& executor, int fd, OnHeard on_heard)
    : socket_(executor, fd), timer_(executor), on_heard_(std::move(on_heard)) {}

void ArrivalSocket::close() {
  error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

void ArrivalSocket::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       if (!error && self->socket_.is_open()) self->read();
                     });
}

void ArrivalSocket::read() {
  std::array<std::byte, kEnough> buffer;
  for (int i = 0; i < kMostAtOnce; ++i) {
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    const auto got = ::recvfrom(socket_.native_handle(), buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait();
    if (got < 0) break;  // ENETDOWN, told once: the interface may come up again
    const auto heard =
        decode(ntohs(from.sll_protocol), {buffer.data(), static_cast<std::size_t>(got)});
    if (heard) on_heard_(*heard);
    if (!socket_.is_open()) return;
  }
  pause();
}

void ArrivalSocket::pause() {
  timer_.expires_after(kPause);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error && self->socket_.is_open()) self->wait();
  });
}

}  // namespace fipd::arrival
