#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/control/service.h"
#include "daemon/observe/events.h"
#include "daemon/sources/etcd/etcd_client.h"
#include "daemon/state/address_set.h"

namespace fipd {

// The values of the keys that fipd writes for its controller (docs/etcd.md). Pure.
[[nodiscard]] std::string status_value(const FloatingIpReport& row);
[[nodiscard]] std::string agent_value(const StatusReport& status);

struct EtcdStatusOptions {
  std::string prefix = "/fipd/v1/";
  std::string host;
  std::int64_t lease = 60;                      // seconds
  std::chrono::milliseconds coalesce{1000};     // states that pass meanwhile are not written
  std::chrono::milliseconds agent{5000};        // the agent's key, at most so often
  std::chrono::milliseconds everything{30000};  // all are compared, whatever events said
  std::chrono::milliseconds retry{2000};
};

// Tells the controller how this host's floating IPs stand, under a lease: when fipd is gone for
// longer, so are its words. A lease that is lost is taken anew, and everything written again. Only
// what changed is written, in transactions. On the event loop's thread.
class EtcdStatus {
 public:
  EtcdStatus(boost::asio::any_io_executor executor, std::unique_ptr<EtcdClient> client,
             EtcdStatusOptions options, Service& service, EventHub& events);

  boost::asio::awaitable<void> run();
  // etcd may have lost what was written, and have kept the lease. All is written again.
  void begin_anew() { anew_ = true; }
  // Why etcd does not have it, in a sentence; empty where it has.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Values = std::map<std::string, std::string>;  // key -> value
  using Keys = std::set<std::string>;
  // A key's value, none for its end, and whose it is.
  struct Written {
    std::optional<std::string> value;
    IpAddress floating;

    friend bool operator==(const Written&, const Written&) = default;
  };
  using Steps = std::map<std::string, Written>;  // each key once, as a transaction wants it

  boost::asio::awaitable<Outcome> round();
  boost::asio::awaitable<Outcome> hold_lease();
  boost::asio::awaitable<Steps> differences();
  boost::asio::awaitable<Outcome> write(Steps steps);
  boost::asio::awaitable<Outcome> write_agent();
  void compare(const IpAddress& floating, Steps& out);
  void note_written(const std::string& key, const Written& step);

  boost::asio::any_io_executor executor_;
  std::unique_ptr<EtcdClient> client_;
  EtcdStatusOptions options_;
  Service& service_;
  std::string fip_prefix_;
  std::string agent_key_;

  AddressHashSet marked_;
  EventHub::Subscription subscription_;
  Clock::time_point everything_due_;
  std::unordered_map<std::string, Written> written_;
  std::unordered_map<IpAddress, Keys, AddressHash> keys_;  // of what is written
  std::string agent_;
  Clock::time_point agent_due_;
  std::int64_t lease_ = 0;
  bool anew_ = false;
  Clock::time_point lease_due_;
  std::string problem_;
};

}  // namespace fipd
