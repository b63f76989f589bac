#pragma once

#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bgp/route_table.h"

namespace fipd::bgp {

// The kernel's table in memory, for tests: refuses what the kernel refuses, with the kernel's
// errno, and keeps a journal of what took effect, in order.
class FakeRouteTable : public RouteTable {
 public:
  using Key = std::pair<IpAddress, std::uint32_t>;  // destination and metric

  // Scripts a refusal of every change of that destination, until heal(), whatever its kind.
  void fail(const IpAddress& destination, int error) { refusals_[destination] = error; }
  void heal(const IpAddress& destination) { refusals_.erase(destination); }
  // The next apply() or dump() fails as a whole.
  void fail_socket(Error error) { socket_error_ = std::move(error); }

  // What others do, unseen by the journal.
  void put(const HostRoute& route) { routes_[key_of(route)] = route; }
  void lose(const HostRoute& route) { routes_.erase(key_of(route)); }
  void lose_interface(unsigned interface) {
    std::erase_if(routes_, [&](const auto& at) { return at.second.interface == interface; });
  }
  void lose_all() { routes_.clear(); }
  void add_stranger(const StrangerRoute& stranger, unsigned interface = 0) {
    strangers_.insert_or_assign({stranger.destination.address(), stranger.metric},
                                std::pair{stranger, interface});
  }
  void remove_stranger(const StrangerRoute& stranger) {
    strangers_.erase({stranger.destination.address(), stranger.metric});
  }

  [[nodiscard]] const std::map<Key, HostRoute>& routes() const { return routes_; }
  [[nodiscard]] bool has(const IpAddress& destination) const {
    const auto at = routes_.lower_bound({destination, 0});
    return at != routes_.end() && at->first.first == destination;
  }
  [[nodiscard]] const std::vector<RouteChange>& journal() const { return journal_; }
  // Sizes of the calls to apply() so far: how well the caller coalesces.
  [[nodiscard]] const std::vector<std::size_t>& calls() const { return calls_; }
  [[nodiscard]] std::size_t dumps() const { return dumps_; }
  void forget_journal() {
    journal_.clear();
    calls_.clear();
    dumps_ = 0;
  }
  // Called as each change takes effect: for one journal over several fakes.
  std::function<void(const RouteChange&)> on_change;
  // Called by dump(), on its thread, when it has looked: a kernel that is slow to answer.
  std::function<void()> on_dumped;

  Result<RouteDump> dump() override { return read(std::nullopt); }
  Result<RouteDump> dump(unsigned interface) override { return read(interface); }

  Result<std::vector<RouteFailure>> apply(std::span<const RouteChange> changes) override {
    calls_.push_back(changes.size());
    if (auto error = std::exchange(socket_error_, std::nullopt)) return fipd::fail(*error);
    std::vector<RouteFailure> failures;
    for (std::size_t index = 0; index < changes.size(); ++index) {
      const RouteChange& change = changes[index];
      if (const int error = perform(change); error != 0) {
        const std::string what = fmt::format("route {}", change.route.destination);
        failures.push_back({index, Error::from_errno(error, what)});
      }
    }
    return failures;
  }

 private:
  static Key key_of(const HostRoute& route) { return {route.destination, route.metric}; }
  // The kernel knows no realms of IPv6 routes, and says nothing of it.
  static HostRoute kept(HostRoute route) {
    if (route.destination.is_v6()) route.realm = 0;
    return route;
  }

  [[nodiscard]] bool has_stranger(const Key& key) const {
    const auto at = strangers_.find(key);
    return at != strangers_.end() && at->second.first.destination.is_host();
  }

  // An errno, 0 where it is done.
  int perform(const RouteChange& change) {
    const Key key = key_of(change.route);
    if (const auto at = refusals_.find(change.route.destination); at != refusals_.end()) {
      return at->second;
    }
    const auto ours = routes_.find(key);
    switch (change.action) {
      case RouteAction::kAdd:
        if (ours != routes_.end() || has_stranger(key)) return EEXIST;
        routes_[key] = kept(change.route);
        break;
      case RouteAction::kReplace:
        // The kernel looks at destination and metric only: a stranger's route is overwritten.
        if (ours == routes_.end() && !has_stranger(key)) return ENOENT;
        if (has_stranger(key)) strangers_.erase(key);
        routes_[key] = kept(change.route);
        break;
      case RouteAction::kRemove:
        if (ours == routes_.end() || ours->second.interface != change.route.interface) return 0;
        routes_.erase(ours);
        break;
    }
    journal_.push_back(change);
    if (on_change) on_change(change);
    return 0;
  }

  Result<RouteDump> read(std::optional<unsigned> interface) {
    ++dumps_;
    if (auto error = std::exchange(socket_error_, std::nullopt)) return fipd::fail(*error);
    RouteDump out;
    for (const auto& [key, route] : routes_) {
      if (!interface || route.interface == *interface) out.own.push_back(route);
    }
    for (const auto& [key, stranger] : strangers_) {
      if (!interface || stranger.second == *interface) out.strangers.push_back(stranger.first);
    }
    if (on_dumped) on_dumped();
    return out;
  }

  std::map<Key, HostRoute> routes_;
  std::map<Key, std::pair<StrangerRoute, unsigned>> strangers_;
  std::map<IpAddress, int> refusals_;
  std::optional<Error> socket_error_;
  std::vector<RouteChange> journal_;
  std::vector<std::size_t> calls_;
  std::size_t dumps_ = 0;
};

}  // namespace fipd::bgp
