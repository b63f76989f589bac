#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/json/object.hpp>

#include "daemon/base/signal.h"
#include "daemon/sources/etcd/etcd_endpoint.h"

namespace fipd {

// An etcd of one member on the test's own loop, with what a real one does not let a test have: it
// can hold an answer back after it was worded, and be another's backup from one moment to the next.
class EtcdFake {
 public:
  struct Stored {
    std::string value;
    std::int64_t revision = 0;
  };
  struct State {
    std::uint64_t cluster = 1;
    std::int64_t revision = 1;
    std::map<std::string, Stored> keys;
  };

  explicit EtcdFake(boost::asio::io_context& loop);
  [[nodiscard]] EtcdEndpoint endpoint() const;

  // Each is a revision of its own, and told to the watches.
  void put(const std::string& key, const std::string& value);
  void remove(const std::string& key);
  // Other keys than anybody here watches are written.
  void pass(std::int64_t revisions) { state_.revision += revisions; }
  // A sign of life to every watch.
  void tell_progress();
  // A link that breaks.
  void cut();

  [[nodiscard]] const State& state() const { return state_; }
  // In the place of all that was; whoever is connected is cut off.
  void restore(State state);

  // Answers about keys that begin so are worded, but not sent before release().
  void hold(std::string prefix) { held_ = std::move(prefix); }
  void release();
  [[nodiscard]] int holding() const { return holding_; }
  // Questions about `prefix` and what begins with it.
  [[nodiscard]] int asked(const std::string& prefix) const;

  // No more connections; those that are there end.
  void close();

 private:
  using Stream = std::shared_ptr<boost::beast::tcp_stream>;
  struct Logged {
    std::string key;
    std::int64_t revision = 0;
    std::string line;
  };
  struct Watch {
    std::string key;
    std::string end;
    Stream stream;
  };

  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> answer(Stream stream);
  [[nodiscard]] std::string range(const boost::json::object& question) const;
  void begin_watch(const boost::json::object& question, const Stream& stream);
  void log(const std::string& key, const std::string& type, const std::string& value);
  [[nodiscard]] std::string reply(const std::string& members) const;
  static void send(const Watch& watch, const std::string& line);

  boost::asio::ip::tcp::acceptor acceptor_;
  State state_;
  std::vector<Logged> log_;
  std::vector<Watch> watches_;
  std::list<std::weak_ptr<boost::beast::tcp_stream>> streams_;
  std::vector<std::string> asked_;
  std::string held_;
  int holding_ = 0;
  Signal released_;
};

}  // namespace fipd
