#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ssl/context.hpp>

#include "daemon/base/result.h"
#include "daemon/sources/etcd/etcd_endpoint.h"

namespace fipd {

struct EtcdRequest {
  std::string path;   // "/v3/kv/range"
  std::string body;   // JSON
  std::string token;  // of the login; empty: none
};

struct EtcdAnswer {
  unsigned status = 0;  // HTTP's
  std::string body;
};

// What one answer may hold: etcd itself sends no more than its server's limit of some MiB a
// message, and a page of 1,000 values of 256 KiB each is never met in earnest.
inline constexpr std::size_t kMostEtcdAnswer = std::size_t{64} << 20;

// One connection to one etcd server, plain or under TLS. One coroutine at a time; every step has a
// deadline. After a failure it is of no use any more. Failures name the endpoint.
class EtcdConnection {
 public:
  // Resolves, connects and shakes hands within `timeout`. `tls` may be null for a plain endpoint.
  [[nodiscard]] static boost::asio::awaitable<Result<std::unique_ptr<EtcdConnection>>> open(
      boost::asio::any_io_executor executor, EtcdEndpoint endpoint,
      std::shared_ptr<boost::asio::ssl::context> tls, std::chrono::milliseconds timeout);
  virtual ~EtcdConnection() = default;

  // One question, one answer, whatever its status.
  [[nodiscard]] virtual boost::asio::awaitable<Result<EtcdAnswer>> ask(
      EtcdRequest request, std::chrono::milliseconds timeout) = 0;
  // A question whose answer does not end: its head, and with an error's status all of it.
  [[nodiscard]] virtual boost::asio::awaitable<Result<EtcdAnswer>> begin(
      EtcdRequest request, std::chrono::milliseconds timeout) = 0;
  // The next bytes of it. kTimeout where none come, kUnavailable at its end.
  [[nodiscard]] virtual boost::asio::awaitable<Result<std::string>> more(
      std::chrono::milliseconds timeout) = 0;
  // What is under way fails.
  virtual void close() = 0;
};

}  // namespace fipd
