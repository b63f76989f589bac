#include "daemon/control/fipctl/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fipd::fipctl {
namespace {

Error unreachable(const std::string& path, int number) {
  const bool kept_out = number == EACCES || number == EPERM;
  const std::string_view remedy = kept_out ? "be root or a member of group fipd"
                                           : "is the service running? (systemctl status fipd)";
  return Error(kept_out ? ErrorCode::kNotPermitted : ErrorCode::kUnavailable,
               fmt::format("cannot reach fipd at {}: {}; {}", path, std::strerror(number), remedy));
}

}  // namespace

Result<Connection> Connection::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::kBadInput, "the socket's path \"{}\" is empty or too long", path);
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  Connection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connection.fd_ < 0) return fail_errno(errno, "open a socket", ErrorCode::kInternal);
  // A Unix socket connects at once, or its queue is full: EAGAIN.
  if (connect(connection.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(unreachable(path, errno));
  }
  return connection;
}

Connection::~Connection() {
  if (fd_ >= 0) close(fd_);
}

Result<short> Connection::ready(short events, Clock::time_point deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int timeout = static_cast<int>(std::clamp<long>(left, 0, 3600 * 1000));
    pollfd watched{fd_, events, 0};
    const int count = poll(&watched, 1, timeout);
    if (count > 0) return watched.revents;
    if (count < 0 && errno != EINTR) return fail_errno(errno, "poll", ErrorCode::kInternal);
    if (count == 0 && Clock::now() >= deadline) {
      return fail(ErrorCode::kTimeout, "fipd is there but does not answer; see its log");
    }
  }
}

Result<std::size_t> Connection::send_some(std::string_view bytes, Clock::time_point deadline) {
  const auto events = ready(POLLIN | POLLOUT, deadline);
  if (!events) return fail(events.error());
  if ((*events & POLLOUT) == 0 || (*events & POLLIN) != 0) return std::size_t{0};
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent > 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return send_some(bytes, deadline);
  return std::size_t{0};  // closed: what it said before is still to be read
}

Result<std::size_t> Connection::receive(std::span<char> buffer, Clock::time_point deadline) {
  while (true) {
    const auto events = ready(POLLIN, deadline);
    if (!events) return fail(events.error());
    const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN || errno == EINTR) continue;
    return fail_errno(errno, "fipd closed the connection", ErrorCode::kUnavailable);
  }
}

}  // namespace fipd::fipctl
