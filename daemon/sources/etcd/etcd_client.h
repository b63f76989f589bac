#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/result.h"
#include "daemon/sources/etcd/etcd_connection.h"
#include "daemon/sources/etcd/etcd_message.h"
#include "daemon/sources/etcd/line_framer.h"

namespace fipd {

struct EtcdOptions {
  std::vector<EtcdEndpoint> endpoints;
  std::filesystem::path ca;           // PEM; empty: the system's
  std::filesystem::path certificate;  // PEM, of the client; with `key`
  std::filesystem::path key;
  std::string user;  // empty: no login
  std::string password;
  std::chrono::milliseconds timeout{5000};  // of each step
};

// Speaks to one etcd cluster by any of its endpoints: a question that one does not answer goes to
// the next, each once. Logs in, and again where the token has died. One connection is kept for
// questions, each watch has its own. One coroutine at a time for questions; any number of watches.
// On the executor's thread. Failures are sentences (kUnavailable, kTimeout, kNotPermitted).
class EtcdClient {
 public:
  // kBadInput where the files of TLS cannot be read.
  [[nodiscard]] static Result<std::unique_ptr<EtcdClient>> make(
      boost::asio::any_io_executor executor, EtcdOptions options);

  // For range_reply(), wherever there is time for megabytes. kLimit where it is more than one
  // answer may hold.
  [[nodiscard]] boost::asio::awaitable<Result<std::string>> range(EtcdRange range);
  // At most kMostInTransaction. All or nothing.
  [[nodiscard]] boost::asio::awaitable<Outcome> write(std::vector<EtcdWrite> writes,
                                                      std::int64_t lease);
  [[nodiscard]] boost::asio::awaitable<Result<EtcdLease>> grant(std::int64_t seconds);
  [[nodiscard]] boost::asio::awaitable<Result<EtcdLease>> keep_alive(std::int64_t id);

  // The messages of one watch, in order. After a failure it is over.
  class Watch {
   public:
    explicit Watch(std::unique_ptr<EtcdConnection> connection);
    // Nothing for so long is kTimeout: etcd was asked for signs of life.
    [[nodiscard]] boost::asio::awaitable<Result<EtcdWatchReply>> next(
        std::chrono::milliseconds silence);
    // Whoever waits for the next one is answered at once.
    void close() { connection_->close(); }

   private:
    std::unique_ptr<EtcdConnection> connection_;
    LineFramer framer_;
  };
  [[nodiscard]] boost::asio::awaitable<Result<std::unique_ptr<Watch>>> watch(EtcdRange range);

  // The endpoint that answered last.
  [[nodiscard]] std::string endpoint() const;

 private:
  using Opened = Result<std::unique_ptr<EtcdConnection>>;

  EtcdClient(boost::asio::any_io_executor executor, EtcdOptions options,
             std::shared_ptr<boost::asio::ssl::context> tls)
      : executor_(std::move(executor)), options_(std::move(options)), tls_(std::move(tls)) {}

  boost::asio::awaitable<Result<std::string>> call(std::string path, std::string body);
  boost::asio::awaitable<Result<EtcdAnswer>> ask(EtcdRequest request);
  boost::asio::awaitable<Opened> connect();
  boost::asio::awaitable<Outcome> log_in();
  void next_endpoint();

  boost::asio::any_io_executor executor_;
  EtcdOptions options_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  std::size_t at_ = 0;  // of the endpoints
  std::unique_ptr<EtcdConnection> kept_;
  std::string token_;
};

}  // namespace fipd
