#include "daemon/sources/directory_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                  IN_CREATE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF |
                                  IN_MOVE_SELF | IN_ONLYDIR;
constexpr std::uint32_t kSelf = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;

DirectoryWatch::Note note_of(std::uint32_t mask) {
  using Note = DirectoryWatch::Note;
  if ((mask & (IN_DELETE | IN_MOVED_FROM)) != 0) return Note::kGone;
  // IN_ATTRIB: it may have become readable.
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) return Note::kWritten;
  if ((mask & (IN_CREATE | IN_ATTRIB)) != 0) return Note::kAppeared;
  return Note::kBeingMade;
}

}  // namespace

DirectoryWatch::DirectoryWatch(const boost::asio::any_io_executor& executor)
    : descriptor_(executor) {}

Outcome DirectoryWatch::open() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return fail_errno(errno, "inotify (see sysctl fs.inotify.max_user_instances)");
  descriptor_.assign(fd);
  return success();
}

Result<bool> DirectoryWatch::attach(const std::filesystem::path& path) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (there && attached() && status.st_dev == device_ && status.st_ino == inode_) return false;
  if (attached()) ::inotify_rm_watch(descriptor_.native_handle(), watch_);
  watch_ = there ? ::inotify_add_watch(descriptor_.native_handle(), path.c_str(), kEvents) : -1;
  if (watch_ < 0) {
    const int number = errno;
    return fail_errno(number, path.string(),
                      number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable);
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
  return true;
}

boost::asio::awaitable<bool> DirectoryWatch::next(OnNote& on_note) {
  boost::system::error_code error;
  co_await descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                  boost::asio::redirect_error(boost::asio::use_awaitable, error));
  if (error || !descriptor_.is_open()) co_return false;
  read(on_note);
  co_return true;
}

void DirectoryWatch::close() {
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

void DirectoryWatch::read(OnNote& on_note) {
  // A few hundred events at a time; the rest wakes us again.
  alignas(inotify_event) std::array<char, 16384> buffer;
  const ssize_t got = ::read(descriptor_.native_handle(), buffer.data(), buffer.size());
  for (std::size_t at = 0; got > 0 && at < static_cast<std::size_t>(got);) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = buffer.data() + at + sizeof event;
    at += sizeof event + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      on_note(Note::kOverflow, {});
    } else if (event.wd != watch_) {
      continue;  // of a directory that was watched before
    } else if ((event.mask & kSelf) != 0) {
      // After a move the watch would go along with the directory.
      if ((event.mask & IN_MOVE_SELF) != 0) ::inotify_rm_watch(descriptor_.native_handle(), watch_);
      watch_ = -1;
      on_note(Note::kLost, {});
    } else if (event.len > 0) {
      on_note(note_of(event.mask), std::string_view(name, ::strnlen(name, event.len)));
    }
  }
}

}  // namespace fipd
