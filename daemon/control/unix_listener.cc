#include "daemon/control/unix_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

namespace fipd::control {
namespace {

using boost::asio::local::stream_protocol;
using boost::system::error_code;

// Whether the way is free: no file, or the socket of a daemon that is gone, which is removed.
Outcome clear_stale(const std::filesystem::path& path,
                    const boost::asio::any_io_executor& executor) {
  struct stat file {};
  if (lstat(path.c_str(), &file) != 0) {
    if (errno == ENOENT) return success();
    return fail_errno(errno, path.native());
  }
  if (!S_ISSOCK(file.st_mode)) {
    return fail(ErrorCode::kConflict,
                "{} is there and is no socket: remove it, or set [control] socket", path.native());
  }
  stream_protocol::socket probe(executor);
  error_code problem;
  probe.open(stream_protocol(), problem);
  if (!problem) probe.non_blocking(true, problem);
  if (!problem) probe.connect(stream_protocol::endpoint(path.native()), problem);
  if (problem != boost::asio::error::connection_refused) {
    return fail(ErrorCode::kConflict, "{}: another daemon listens there ({}): stop it first",
                path.native(), problem ? problem.message() : "it answers");
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, fmt::format("remove the stale socket {}", path.native()));
  }
  return success();
}

}  // namespace

Outcome UnixListener::bind(const std::filesystem::path& path) {
  error_code problem;
  acceptor_.open(stream_protocol(), problem);
  // The mode that bind() gives the file comes from the socket's own inode: nobody gets in before
  // set_access() has had its turn.
  if (!problem && fchmod(acceptor_.native_handle(), 0600) != 0) {
    problem.assign(errno, boost::system::system_category());
  }
  if (!problem) acceptor_.bind(stream_protocol::endpoint(path.native()), problem);
  if (problem) {
    acceptor_.close();
    return fail_errno(
        problem.value(),
        fmt::format("listen on {} (does its directory exist, and is it ours?)", path.native()),
        ErrorCode::kUnavailable);
  }
  path_ = path;
  struct stat file {};
  if (lstat(path.c_str(), &file) == 0) inode_ = file.st_ino;
  return success();
}

Outcome UnixListener::set_access(std::optional<gid_t> group, bool for_all) const {
  struct stat file {};
  if (lstat(path_.c_str(), &file) != 0) return fail_errno(errno, path_.native());
  if (group && file.st_gid != *group && chown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    return fail_errno(errno,
                      fmt::format("give {} to group {} of [control] group (fipd must run in it: "
                                  "Group= of its unit)",
                                  path_.native(), *group),
                      ErrorCode::kNotPermitted);
  }
  const mode_t mode = for_all ? 0666 : 0660;
  if (chmod(path_.c_str(), mode) != 0) return fail_errno(errno, path_.native());
  return success();
}

Outcome UnixListener::open(const std::filesystem::path& path, std::optional<gid_t> group,
                           bool for_all) {
  if (path.native().size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::kBadInput, "{}: a socket's path has at most {} bytes", path.native(),
                sizeof(sockaddr_un::sun_path) - 1);
  }
  Outcome done = clear_stale(path, acceptor_.get_executor());
  if (done) done = bind(path);
  if (done) done = set_access(group, for_all);
  if (!done) return done;
  error_code problem;
  acceptor_.listen(boost::asio::socket_base::max_listen_connections, problem);
  if (problem) return fail_errno(problem.value(), fmt::format("listen on {}", path.native()));
  return success();
}

void UnixListener::close() {
  error_code ignored;
  acceptor_.close(ignored);
  struct stat file {};
  if (!path_.empty() && lstat(path_.c_str(), &file) == 0 && file.st_ino == inode_) {
    unlink(path_.c_str());
  }
  path_.clear();
}

}  // namespace fipd::control
