#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// A BGP session of BIRD's.
struct BirdSession {
  std::string name;
  std::string state;  // BIRD's: "up", "start", "down"
  std::string since;
  std::string info;  // "Established", "Active        Socket: Connection refused"

  [[nodiscard]] bool established() const { return info.starts_with("Established"); }
  friend bool operator==(const BirdSession&, const BirdSession&) = default;
};

struct BirdSnapshot {
  bool connected = false;
  std::string version;                // "2.0.12"; empty where not connected
  std::string problem;                // a sentence; empty where all is well
  std::vector<BirdSession> sessions;  // BGP only, in BIRD's order

  friend bool operator==(const BirdSnapshot&, const BirdSnapshot&) = default;
};

struct BirdOptions {
  std::filesystem::path path = "/run/bird/bird.ctl";
  // For connecting, for the greeting and for each answer: a stopped BIRD takes connections and
  // never says a word.
  std::chrono::milliseconds timeout{2000};
  // For the answer to exported(), which may be of 10 MiB.
  std::chrono::milliseconds bulk_timeout{10000};
  // After a failure nothing is tried for so long, doubling, with jitter. A connection that BIRD
  // closed (its restart) is made anew at once.
  std::chrono::milliseconds retry_min{100};
  std::chrono::milliseconds retry_max{4000};
};

// Asks BIRD over its control socket; never changes it. One conversation, one command in flight; the
// others wait their turn; exported() has a conversation of its own, so that its long answers hold
// up nobody. Every failure is a sentence (kUnavailable, kTimeout, kNotPermitted,
// kLimit), and the next call tries again. On the executor's one thread. May be destroyed at any
// time: calls under way then end with kUnavailable; cancelled calls leave no half answer behind.
class BirdClient {
 public:
  BirdClient(boost::asio::any_io_executor executor, BirdOptions options);
  ~BirdClient();
  BirdClient(const BirdClient&) = delete;
  BirdClient& operator=(const BirdClient&) = delete;

  // Version and sessions, asked just now. Never `connected = false`: that is an error.
  [[nodiscard]] boost::asio::awaitable<Result<BirdSnapshot>> look();
  // The established sessions to which the host prefix of `address` is exported at this moment.
  [[nodiscard]] boost::asio::awaitable<Result<std::vector<std::string>>> exported_by(
      IpAddress address);
  // All addresses whose host prefix is exported to that session at this moment, in no order. None
  // where it is down, or not there any more.
  [[nodiscard]] boost::asio::awaitable<Result<std::vector<IpAddress>>> exported(
      std::string session);

  // What the last call, other than exported(), found wrong, empty where nothing.
  [[nodiscard]] const std::string& problem() const;

 private:
  class Conversation;
  std::shared_ptr<Conversation> conversation_;
};

// Names that may stand between quotes in a command. Others are left out, and said to be.
[[nodiscard]] bool is_plain_session_name(std::string_view name);

}  // namespace fipd::bgp
