#include "daemon/health/echo_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include <boost/asio/post.hpp>

namespace fipd::health {
namespace {

using boost::system::error_code;

// Read in one go before others have their turn.
constexpr int kMostAtOnce = 256;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
};

SocketAddress socket_address(const IpAddress& address) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(address.to_v4().to_uint());
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    std::memcpy(&in.sin6_addr, address.to_v6().to_bytes().data(), 16);
    std::memcpy(&out.storage, &in, sizeof in);
    out.size = sizeof in;
  }
  return out;
}

IpAddress address_of(const SocketAddress& from) {
  if (from.storage.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &from.storage, sizeof in);
    return from_bytes(&in.sin_addr, 4);
  }
  sockaddr_in6 in;
  std::memcpy(&in, &from.storage, sizeof in);
  return from_bytes(&in.sin6_addr, 16);
}

}  // namespace

EchoSocket::EchoSocket(const boost::asio::any_io_executor& executor, int family)
    : socket_(executor), timer_(executor), family_(family) {
  std::random_device dice;
  next_.secret = (std::uint64_t{dice()} << 32) | dice();
}

std::string EchoSocket::open() {
  if (socket_.is_open()) return "";
  const int protocol = family_ == AF_INET ? static_cast<int>(IPPROTO_ICMP) : IPPROTO_ICMPV6;
  constexpr int kFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  int fd = ::socket(family_, SOCK_DGRAM | kFlags, protocol);
  raw_ = false;
  if (fd < 0 && (errno == EACCES || errno == EPERM)) {
    raw_ = true;
    fd = ::socket(family_, SOCK_RAW | kFlags, protocol);
  }
  if (fd < 0) {
    const bool refused = errno == EACCES || errno == EPERM;
    return fmt::format("cannot send ICMP echoes: {}{}", std::strerror(errno),
                       refused ? "; let fipd's group into net.ipv4.ping_group_range, or use a TCP "
                                 "check"
                               : "");
  }
  error_code error;
  socket_.assign(fd, error);
  if (error) {
    ::close(fd);
    return fmt::format("cannot send ICMP echoes: {}", error.message());
  }
  wait_for_answers();
  return "";
}

void EchoSocket::close() {
  closed_ = true;
  asked_.clear();
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void EchoSocket::ask(const IpAddress& address, std::chrono::milliseconds timeout,
                     Prober::Done done) {
  const std::uint64_t number = ++next_.number;
  asked_[number] = Asked{address, Clock::now() + timeout, timeout, std::move(done)};
  const std::string problem = open();
  ProbeResult result{ProbeResult::Kind::kImpossible, problem};
  if (problem.empty()) result = send(address, number);
  if (result.kind == ProbeResult::Kind::kAnswered) return arm();
  auto later = [self = shared_from_this(), number, result = std::move(result)] {
    self->finish(number, result);
  };
  boost::asio::post(timer_.get_executor(), std::move(later));
}

// kAnswered: it is on its way.
ProbeResult EchoSocket::send(const IpAddress& address, std::uint64_t number) {
  EchoToken token = next_;
  token.number = number;
  const auto identifier = static_cast<std::uint16_t>(next_.secret & 0xffff);
  const std::vector<std::byte> packet = echo_request(family_, identifier, token);
  const SocketAddress to = socket_address(address);
  const auto sent = ::sendto(socket_.native_handle(), packet.data(), packet.size(), 0,
                             reinterpret_cast<const sockaddr*>(&to.storage), to.size);
  if (sent >= 0) return {};
  const bool no_way = errno == ENETUNREACH || errno == EHOSTUNREACH || errno == EHOSTDOWN;
  return {no_way ? ProbeResult::Kind::kFailed : ProbeResult::Kind::kImpossible,
          std::strerror(errno)};
}

void EchoSocket::wait_for_answers() {
  auto ready = [self = shared_from_this()](const error_code& error) {
    if (error || self->closed_) return;
    self->read_answers();
  };
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read, std::move(ready));
}

void EchoSocket::read_answers() {
  std::array<std::byte, 512> buffer;
  for (int i = 0; i < kMostAtOnce; ++i) {
    SocketAddress from;
    const auto size = ::recvfrom(socket_.native_handle(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from.storage), &from.size);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (size < 0) continue;  // an ICMP error of some earlier packet
    const bool with_header = raw_ && family_ == AF_INET;
    const auto token =
        decode_echo_reply({buffer.data(), static_cast<std::size_t>(size)}, family_, with_header);
    if (!token || token->secret != next_.secret) continue;
    const auto at = asked_.find(token->number);
    if (at == asked_.end() || at->second.address != address_of(from)) continue;
    finish(token->number, {});
    if (closed_) return;
  }
  wait_for_answers();
}

void EchoSocket::arm() {
  if (armed_ || asked_.empty()) return;
  armed_ = true;
  timer_.expires_at(asked_.begin()->second.deadline);
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    self->armed_ = false;
    if (!error && !self->closed_) self->ring();
  });
}

void EchoSocket::ring() {
  const auto now = Clock::now();
  while (!asked_.empty() && asked_.begin()->second.deadline <= now) {
    const auto timeout = asked_.begin()->second.timeout;
    finish(asked_.begin()->first,
           {ProbeResult::Kind::kFailed, fmt::format("no answer in {} ms", timeout.count())});
    if (closed_) return;
  }
  arm();
}

void EchoSocket::finish(std::uint64_t number, ProbeResult result) {
  const auto at = asked_.find(number);
  if (at == asked_.end()) return;
  Prober::Done done = std::move(at->second.done);
  asked_.erase(at);
  done(std::move(result));
}

}  // namespace fipd::health
