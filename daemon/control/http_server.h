#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/base/result.h"
#include "daemon/control/http_limits.h"
#include "daemon/control/service.h"

namespace fipd::control {

struct HttpOptions {
  std::filesystem::path path = "/run/fipd/fipd.sock";
  std::string group = "fipd";  // may change things, besides root
  bool read_by_all = false;
  std::string metrics_listen;  // "127.0.0.1:9472", "[::1]:9472": /metrics only; empty: off
  HttpLimits limits;
};

// The control API on its Unix socket, and /metrics on TCP where wanted; docs/openapi.yaml is its
// specification. Everything runs on `executor`, a single thread, but the parsing of big bodies.
// `service` and `background` must outlive the server and the executor's last turn.
class HttpServer {
 public:
  HttpServer(boost::asio::any_io_executor executor, HttpOptions options, Service& service,
             Background& background);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Listens. A socket file that nobody listens on is replaced; kConflict where another daemon does.
  [[nodiscard]] Outcome start();
  // Closes the listeners, removes the socket file, and returns when every answer under way is sent,
  // or after `limit`.
  boost::asio::awaitable<void> finish(std::chrono::milliseconds limit);
  // The same, with every connection closed at once.
  void stop();
  // What is not as it was configured, for the operator: a sentence each.
  [[nodiscard]] std::vector<std::string> warnings() const;
  // Open connections on the Unix socket.
  [[nodiscard]] std::size_t clients() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace fipd::control
