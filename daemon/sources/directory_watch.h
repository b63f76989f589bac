#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "daemon/base/result.h"

namespace fipd {

// inotify on one directory: which of its names changed, and how. On the event loop's thread.
class DirectoryWatch {
 public:
  enum class Note {
    kWritten,    // a writer closed it, or it was put there whole, by rename
    kAppeared,   // made; its writer may be at it still
    kBeingMade,  // somebody is writing into it
    kGone,       // deleted, or renamed away
    kLost,       // the directory itself is gone or elsewhere; attach() again. No name
    kOverflow,   // events were lost: look at everything. No name
  };
  using OnNote = std::function<void(Note, std::string_view name)>;

  explicit DirectoryWatch(const boost::asio::any_io_executor& executor);
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

  [[nodiscard]] Outcome open();
  // Watches what is at `path` now, in place of what was watched before. True: another directory.
  [[nodiscard]] Result<bool> attach(const std::filesystem::path& path);
  [[nodiscard]] bool attached() const { return watch_ >= 0; }
  // Waits for events and hands them over. False: closed.
  boost::asio::awaitable<bool> next(OnNote& on_note);
  void close();

 private:
  void read(OnNote& on_note);

  boost::asio::posix::stream_descriptor descriptor_;
  int watch_ = -1;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace fipd
