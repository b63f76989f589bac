#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include <fmt/format.h>

#include "daemon/base/address.h"
#include "tests/unit/bgp/bird_fake.h"

namespace fipd {

inline IpAddress numbered(std::uint32_t i) { return boost::asio::ip::address_v4(0xac100000U + i); }

// A BIRD with one kernel protocol, k4, one table, fip4, and the session tor1 (where asked for, the
// same for IPv6 before them: k6, fip6, tor6), which the test changes while FakeBird answers on its
// threads. Counts what it is asked.
class World {
 public:
  // Fresh: BIRD has it, and tor1 is told, unless something is in the way.
  struct Route {
    bool learned = true;
    bool filtered = false;  // by the import filter, and kept
    bool exported = true;
    bool passes = true;         // the export filter
    unsigned copy = 0;          // preference of a BGP copy; 0: there is none
    unsigned preference = 200;  // of ours
  };

  template <typename F>
  void change(F call) {
    const std::lock_guard lock(mutex_);
    call(routes_);
    ++changes_;
  }
  void set(std::uint32_t i, Route route) {
    change([&](auto& routes) { routes[numbered(i)] = route; });
  }
  void export_first(std::uint32_t count) {
    change([&](auto& routes) {
      routes.clear();
      for (std::uint32_t i = 0; i < count; ++i) routes[numbered(i)] = Route();
    });
  }
  // What BIRD learns when it reads the kernel's table.
  void lose(std::uint32_t i) {
    change([&](auto& routes) { routes[numbered(i)] = {false, false, false}; });
    const std::lock_guard lock(mutex_);
    lost_.insert(numbered(i));
  }
  void set_kernel_state(const std::string& state) {
    with_lock([&] { kernel_state_ = state; });
  }
  void set_session(const std::string& info) {
    with_lock([&] { session_ = info; });
  }
  void have_session_per_family() {
    with_lock([&] { per_family_ = true; });
  }
  void hit_limit() {
    with_lock([&] { limit_hit_ = true; });
  }
  void be_silent(bool silent) { silent_ = silent; }
  [[nodiscard]] int bulk_questions() const { return bulk_questions_; }
  [[nodiscard]] int questions() const { return questions_; }
  [[nodiscard]] int nudges() const { return nudges_; }

  bgp::FakeBird::Script script() {
    return [this](const bgp::FakeConversation& peer) {
      if (!silent_ && !peer.say("0001 BIRD 2.0.12 ready.\n")) return;
      while (const auto command = peer.hear()) {
        if (!silent_ && !peer.say(answer(*command))) return;
      }
    };
  }

 private:
  template <typename F>
  void with_lock(F call) {
    const std::lock_guard lock(mutex_);
    call();
    ++changes_;
  }

  std::string answer(const std::string& command) {
    const std::lock_guard lock(mutex_);
    if (command == "show status") return "1000-BIRD 2.0.12\n0013 Daemon is up and running\n";
    if (command.starts_with("show protocols")) return protocols();
    if (command == "reload in \"k4\"") return reload();
    if (command == "show route exported 'tor6'") return "1007-Table fip6:\n0000 \n";
    if (command == "show route exported 'tor1'") return bulk(&Route::exported);
    if (command == "show route table 'fip4' protocol 'k4'") return bulk(&Route::learned);
    if (command == "show route filtered table 'fip4' protocol 'k4'") return bulk(&Route::filtered);
    if (command.starts_with("show route table 'fip4' where source = RTS_BGP")) return copies();
    ++questions_;
    for (const auto& [address, route] : routes_) {
      const std::string prefix = fmt::format(" {}/32", address.to_string());
      if (command.find(prefix) == command.npos) continue;
      if (command.starts_with("show route exported")) return one(route.exported, address, route);
      if (command.starts_with("show route export")) return one(route.passes, address, route);
      if (command.starts_with("show route filtered")) return one(route.filtered, address, route);
      return one(route.learned || route.copy > 0, address, route);
    }
    return "8001 Network not found\n";
  }

  std::string protocols() const {
    static constexpr std::string_view kOfSix =
        "1002-k6 Kernel fip6 up 20:36:55.229\n"
        "1006-  Channel ipv6\n     Table: fip6\n     Preference: 200\n"
        "     Input filter: in6\n     Output filter: REJECT\n"
        "1002-tor6 BGP --- up 20:36:56.027 Established\n"
        "1006-  Neighbor address: fd00:99::2\n   Neighbor AS: 64513\n  Channel ipv6\n"
        "     State: UP\n     Table: fip6\n     Input filter: watch6\n     Output filter: out6\n";
    return fmt::format(
        "{}"
        "1002-k4 Kernel fip4 {} 20:36:55.229\n"
        "1006-  Channel ipv4\n     Table: fip4\n     Preference: 200\n"
        "     Input filter: in4\n     Output filter: REJECT\n     Import updates: 0 0 0 0 {}\n"
        "1002-tor1 BGP --- up 20:36:56.027 {}\n"
        "1006-  Neighbor address: 10.99.0.2\n   Neighbor AS: 64513\n  Channel ipv4\n"
        "     State: {}\n     Table: fip4\n     Input filter: watch4\n     Output filter: out4\n"
        "{}     Import updates: 0 0 0 0 {}\n     Export updates: 0 0 0 0 {}\n0000 \n",
        per_family_ ? kOfSix : "", kernel_state_, changes_, session_,
        session_ == "Established" ? "UP" : "DOWN", limit_hit_ ? "     Export limit: 1 [HIT]\n" : "",
        changes_, changes_);
  }
  std::string reload() {
    ++nudges_;
    for (const IpAddress& address : lost_) routes_[address] = Route();
    if (!lost_.empty()) ++changes_;
    lost_.clear();
    return "0015-k4: reloading\n0000 \n";
  }

  static std::string ours(const IpAddress& address, const Route& route) {
    const bool best = route.copy < route.preference;
    return fmt::format(" {}/32 unicast [k4 20:36:55.229]{} ({})\n \tdev tap1\n",
                       address.to_string(), best ? " *" : "", route.preference);
  }
  static std::string copy(const IpAddress& address, const Route& route) {
    if (route.copy == 0) return "";
    const bool best = route.copy >= route.preference || !route.learned;
    return fmt::format(
        " {}/32 unicast [tor1 20:36:55.229]{} ({}) [AS64602i]\n \tvia 10.99.0.2 on up0\n"
        "1012-\tBGP.next_hop: 10.240.0.7\n1007-\n",
        address.to_string(), best ? " *" : "", route.copy);
  }
  std::string bulk(bool Route::*which) {
    if (which == &Route::exported) ++bulk_questions_;
    if (which == &Route::exported && session_ != "Established") return "9001 No valid tables\n";
    std::string rows = "1007-Table fip4:\n";
    for (const auto& [address, route] : routes_) {
      if (route.*which) rows += ours(address, route);
    }
    return rows + "0000 \n";
  }
  std::string copies() const {
    std::string rows = "1007-Table fip4:\n";
    for (const auto& [address, route] : routes_) rows += copy(address, route);
    return rows + "0000 \n";
  }
  static std::string one(bool there, const IpAddress& address, const Route& route) {
    if (!there) return "8001 Network not found\n";
    std::string rows = "1007-Table fip4:\n" + copy(address, route);
    if (route.learned || route.filtered) rows += ours(address, route);
    return rows + "1012-\tKernel.source: 172\n \tKernel.metric: 1024\n0000 \n";
  }

  std::mutex mutex_;
  std::map<IpAddress, Route> routes_;
  std::set<IpAddress> lost_;
  std::string kernel_state_ = "up";
  std::string session_ = "Established";
  bool limit_hit_ = false;
  bool per_family_ = false;
  int changes_ = 0;
  std::atomic<bool> silent_{false};
  std::atomic<int> bulk_questions_{0};
  std::atomic<int> questions_{0};
  std::atomic<int> nudges_{0};
};

}  // namespace fipd
