#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include "daemon/base/result.h"

namespace fipd::control {

// The listening Unix socket and its file. The file goes with it, unless somebody else has put his
// own there meanwhile.
class UnixListener {
 public:
  using Acceptor = boost::asio::local::stream_protocol::acceptor;

  explicit UnixListener(const boost::asio::any_io_executor& executor) : acceptor_(executor) {}
  ~UnixListener() { close(); }
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // Mode 0660 and the group, where there is one; 0666 where `for_all`. A file of that name where
  // nobody listens is replaced; kConflict where somebody does, or where it is no socket.
  [[nodiscard]] Outcome open(const std::filesystem::path& path, std::optional<gid_t> group,
                             bool for_all);
  void close();
  [[nodiscard]] Acceptor& acceptor() { return acceptor_; }

 private:
  [[nodiscard]] Outcome bind(const std::filesystem::path& path);
  [[nodiscard]] Outcome set_access(std::optional<gid_t> group, bool for_all) const;

  Acceptor acceptor_;
  std::filesystem::path path_;  // empty: not bound
  ino_t inode_ = 0;
};

}  // namespace fipd::control
