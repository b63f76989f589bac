#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "bgp/bird_client.h"
#include "bgp/bird_reply.h"

namespace fipd::bgp {

// A place in the queue before BIRD. Held while asking; its end lets the next one in, also where the
// coroutine that holds it is cancelled or destroyed.
class BirdQueue {
 public:
  class Place {
   public:
    Place(BirdQueue& queue, const boost::asio::any_io_executor& executor);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    // Waits until it is first. False: woken for another reason; ask nothing.
    [[nodiscard]] boost::asio::awaitable<bool> turn();

   private:
    BirdQueue& queue_;
    boost::asio::steady_timer woken_;
  };

 private:
  std::list<Place*> waiting_;  // the first one asks
};

// kLook: the connection is restricted, first thing, to what changes nothing in BIRD.
enum class BirdRight : std::uint8_t { kLook, kChange };

// The connection to BIRD's control socket: connects, reads the greeting, sends one command at a
// time, each with a deadline. Used by whoever is first in queue(); kept alive by its coroutines.
class BirdConnection : public std::enable_shared_from_this<BirdConnection> {
 public:
  BirdConnection(boost::asio::any_io_executor executor, BirdOptions options, BirdRight right);

  // The reply, whatever its code. Connects where needed; within the pause after a failure it fails
  // at once with the same words.
  [[nodiscard]] boost::asio::awaitable<Result<BirdReply>> ask(std::string command);
  // BIRD's version, from the greeting of a connection that is made anew.
  [[nodiscard]] boost::asio::awaitable<Result<std::string>> greet();
  // Ends the connection; the next ask() makes another.
  void hang_up() { disconnect(); }
  // Nothing more will be asked: what is under way fails.
  void shut_down();

  [[nodiscard]] bool is_shut_down() const { return shut_down_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }
  [[nodiscard]] BirdQueue& queue() { return queue_; }

 private:
  using Socket = boost::asio::local::stream_protocol::socket;
  // Which file the path was; BIRD makes a new one at every start.
  struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
  };
  class Step;

  [[nodiscard]] boost::asio::awaitable<Result<BirdReply>> try_to_ask(std::string command);
  [[nodiscard]] boost::asio::awaitable<Outcome> connect();
  [[nodiscard]] boost::asio::awaitable<Outcome> open();
  [[nodiscard]] boost::asio::awaitable<Outcome> restrict();
  [[nodiscard]] boost::asio::awaitable<Result<BirdReply>> exchange(std::string command);
  [[nodiscard]] boost::asio::awaitable<Result<BirdReply>> read_reply();
  [[nodiscard]] std::optional<FileIdentity> identify() const;
  [[nodiscard]] Error in_words(const boost::system::error_code& error) const;
  void start_deadline();
  void disconnect();
  // Nothing is tried for a while.
  void note_failure(const Error& error);

  boost::asio::any_io_executor executor_;
  BirdOptions options_;
  BirdRight right_;
  BirdQueue queue_;
  Socket socket_;
  boost::asio::steady_timer deadline_;
  std::uint64_t deadline_number_ = 0;  // of the running deadline; an older one does nothing
  bool late_ = false;
  bool shut_down_ = false;
  BirdReplyReader reader_;
  std::array<char, 16384> buffer_{};
  std::string version_;
  FileIdentity identity_;
  // After a failure.
  std::optional<Error> failure_;
  int failures_ = 0;
  std::chrono::steady_clock::time_point retry_at_;
  std::minstd_rand random_;
};

}  // namespace fipd::bgp
