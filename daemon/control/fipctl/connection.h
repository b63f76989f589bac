#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace fipd::fipctl {

using Clock = std::chrono::steady_clock;

// A Unix stream socket to fipd with a deadline on everything. kNotPermitted where the file's mode
// keeps us out, kUnavailable where nobody is there, kTimeout where somebody is silent.
class Connection {
 public:
  [[nodiscard]] static Result<Connection> open(const std::string& path);
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Sends some of `bytes`, how many; 0: fipd has already answered, or closed: read on.
  [[nodiscard]] Result<std::size_t> send_some(std::string_view bytes, Clock::time_point deadline);
  // How many bytes came; 0: the end.
  [[nodiscard]] Result<std::size_t> receive(std::span<char> buffer, Clock::time_point deadline);

 private:
  explicit Connection(int fd) : fd_(fd) {}
  [[nodiscard]] Result<short> ready(short events, Clock::time_point deadline) const;

  int fd_ = -1;
};

}  // namespace fipd::fipctl
