#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bgp/bird_name.h"
#include "bgp/bird_protocols.h"
#include "bgp/bird_routes.h"
#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

using BirdSession = BirdProtocol;  // one of proto "BGP"

struct BirdSnapshot {
  bool connected = false;
  std::string version;                // "2.0.12"; empty where not connected
  std::string problem;                // a sentence; empty where all is well
  bool recovering = false;            // after a graceful restart, waiting for its neighbours
  std::vector<BirdSession> sessions;  // BGP only, in BIRD's order
  std::vector<BirdProtocol> others;   // kernel protocols and pipes

  friend bool operator==(const BirdSnapshot&, const BirdSnapshot&) = default;
};

struct BirdOptions {
  std::filesystem::path path = "/run/bird/bird.ctl";
  // For connecting, for the greeting and for each answer: a stopped BIRD takes connections and
  // never says a word.
  std::chrono::milliseconds timeout{2000};
  // For the answers in bulk, which may be of 10 MiB.
  std::chrono::milliseconds bulk_timeout{10000};
  // After a failure nothing is tried for so long, doubling, with jitter. A connection that BIRD
  // closed (its restart) is made anew at once.
  std::chrono::milliseconds retry_min{100};
  std::chrono::milliseconds retry_max{4000};
};

// Asks BIRD over its control socket, on connections that may not change anything; nudge() alone
// has one that may. One conversation, one command in flight, the others wait their turn; answers in
// bulk have a conversation of their own, so that they hold up nobody. Every failure is a sentence
// (kUnavailable, kTimeout, kNotPermitted, kLimit), and the next call tries again. On the executor's
// one thread. May be destroyed at any time: calls under way then end with kUnavailable.
class BirdClient {
 public:
  template <typename T>
  using Answer = boost::asio::awaitable<Result<T>>;
  using Visit = std::function<void(const BirdRoute&)>;

  BirdClient(boost::asio::any_io_executor executor, BirdOptions options);
  ~BirdClient();
  BirdClient(const BirdClient&) = delete;
  BirdClient& operator=(const BirdClient&) = delete;

  // Version and protocols, asked just now. Never `connected = false`: that is an error.
  [[nodiscard]] Answer<BirdSnapshot> look();
  // The established sessions to which the host prefix of `address` is exported at this moment.
  [[nodiscard]] Answer<std::vector<std::string>> exported_by(IpAddress address);
  // All routes of the host prefix of `address`, in all tables, with their attributes.
  [[nodiscard]] Answer<std::vector<BirdRoute>> routes_of(IpAddress address);
  // Those that an import filter rejected, where BIRD keeps them ("import keep filtered").
  [[nodiscard]] Answer<std::vector<BirdRoute>> filtered_of(IpAddress address);
  // Whether the session's export filter, run once more, would let the host prefix out.
  [[nodiscard]] Answer<bool> would_export(std::string session, IpAddress address);

  // In bulk. All addresses whose host prefix is exported to that session at this moment, in no
  // order, but for those that another BGP session brought. None where it is down, or gone.
  [[nodiscard]] Answer<std::vector<IpAddress>> exported(std::string session);
  // Those of them, or of `only` that one, that BIRD learned from the kernel's routes of `protocol`
  // with a metric below `metric`.
  [[nodiscard]] Answer<std::vector<IpAddress>> exported_below(std::string session,
                                                              unsigned protocol,
                                                              std::uint32_t metric,
                                                              std::optional<IpAddress> only);
  // Every host route in that table that this protocol brought. `visit` is called in slices.
  [[nodiscard]] Answer<bool> visit_routes(std::string table, std::string protocol, Visit visit);
  // The same of those that its import filter rejected and BIRD kept.
  [[nodiscard]] Answer<bool> visit_filtered(std::string table, std::string protocol, Visit visit);
  // Every host route in that table that a BGP session brought.
  [[nodiscard]] Answer<bool> visit_learned_by_bgp(std::string table, Visit visit);

  // Makes a kernel protocol read its kernel table at once; nothing that is unchanged is told on.
  // kNotPermitted where BIRD's socket is restricted.
  [[nodiscard]] Answer<bool> nudge(std::string kernel_protocol);

  // What the last call, other than those in bulk, found wrong, empty where nothing.
  [[nodiscard]] const std::string& problem() const;

 private:
  class Conversation;
  std::shared_ptr<Conversation> conversation_;
};

}  // namespace fipd::bgp
