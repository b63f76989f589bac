#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/base/temporary_folder.h"

namespace fipd::bgp {

// One accepted connection of FakeBird, blocking.
class FakeConversation {
 public:
  explicit FakeConversation(int fd) : fd_(fd) {}

  // False where the other side is gone.
  bool say(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // The next command, but for "restrict", which is answered; nothing where the other side is gone.
  std::optional<std::string> hear() const {
    std::optional<std::string> line = hear_any();
    if (line != "restrict") return line;
    if (!say("0016 Access restricted\n")) return std::nullopt;
    return hear_any();
  }
  std::optional<std::string> hear_any() const {
    std::string line;
    char c = 0;
    while (::recv(fd_, &c, 1, 0) == 1) {
      if (c == '\n') return line;
      line += c;
    }
    return std::nullopt;
  }

 private:
  int fd_;
};

// Listens like BIRD and behaves as the script says, each connection on a thread of its own.
class FakeBird {
 public:
  using Script = std::function<void(const FakeConversation&)>;

  FakeBird(std::filesystem::path path, Script script)
      : path_(std::move(path)), script_(std::move(script)) {
    std::filesystem::remove(path_);
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    if (::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
        ::listen(listening_, 8) != 0) {
      std::abort();
    }
    thread_ = std::thread([this] { serve(script_); });
  }
  // Ends like a killed BIRD: the connection breaks, the socket's file stays.
  ~FakeBird() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      ::shutdown(listening_, SHUT_RDWR);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    thread_.join();
    for (std::thread& conversation : conversations_) conversation.join();
    ::close(listening_);
  }
  FakeBird(const FakeBird&) = delete;
  FakeBird& operator=(const FakeBird&) = delete;

  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve(const Script& script) {
    for (;;) {
      const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      const std::lock_guard lock(mutex_);
      if (stopping_ || fd < 0) {
        if (fd >= 0) ::close(fd);
        break;
      }
      open_.push_back(fd);
      ++connections_;
      conversations_.emplace_back([this, &script, fd] { converse(script, fd); });
    }
  }

  void converse(const Script& script, int fd) {
    script(FakeConversation(fd));
    const std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }

  std::filesystem::path path_;
  int listening_ = -1;
  std::mutex mutex_;
  std::vector<int> open_;
  bool stopping_ = false;
  std::atomic<int> connections_{0};
  Script script_;
  std::list<std::thread> conversations_;
  std::thread thread_;
};

}  // namespace fipd::bgp
