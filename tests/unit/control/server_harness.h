#pragma once

#include <filesystem>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "daemon/control/http_server.h"
#include "tests/unit/control/fake_service.h"

namespace fipd::control {

// The real server on a socket in a directory of its own, its loop on a thread of its own.
class ServerHarness {
 public:
  explicit ServerHarness(const HttpLimits& limits = {}, std::size_t bindings = 0);
  ~ServerHarness();

  // Runs `what` on the loop's thread, waits for it.
  template <typename What>
  auto on_loop(What what) {
    std::packaged_task<decltype(what())()> task(std::move(what));
    auto result = task.get_future();
    boost::asio::post(loop, [&task] { task(); });
    return result.get();
  }

  boost::asio::io_context loop{1};
  Background background;
  FakeService service;
  std::filesystem::path directory;
  HttpOptions options;
  std::unique_ptr<HttpServer> server;

 private:
  std::thread thread_;
};

// A client that says exactly what it is told to, on blocking sockets with a deadline of 5 s.
class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& path);
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RawClient();

  // False: the server closed.
  bool send(std::string_view text);
  // Up to `size` bytes more; empty: the end, or the deadline.
  std::string receive(std::size_t size = 65536);
  // Until `text` has come, or the end.
  std::string receive_until(std::string_view text);
  // Until the server closes.
  std::string receive_all();
  [[nodiscard]] bool timed_out() const { return timed_out_; }

 private:
  int fd_ = -1;
  bool timed_out_ = false;
};

// GET with a connection of its own: the whole answer.
std::string get(const ServerHarness& harness, std::string_view target);
// Any method, with a body.
std::string ask(const ServerHarness& harness, std::string_view method, std::string_view target,
                std::string_view body = {});

}  // namespace fipd::control
