#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "bgp/link_settings.h"
#include "bgp/network.h"
#include "bgp/route_table.h"
#include "daemon/base/background.h"
#include "daemon/base/signal.h"
#include "daemon/observe/events.h"
#include "daemon/observe/report.h"
#include "daemon/reconcile/alarms.h"
#include "daemon/reconcile/forwarding_settings.h"
#include "daemon/reconcile/known_nat.h"
#include "daemon/reconcile/known_routes.h"
#include "daemon/reconcile/metadata_links.h"
#include "daemon/reconcile/plan.h"
#include "daemon/reconcile/preview.h"
#include "daemon/reconcile/standings.h"
#include "daemon/reconcile/steering.h"
#include "daemon/sources/claim_sink.h"
#include "daemon/state/bindings.h"
#include "daemon/state/derive.h"
#include "daemon/state/forward.h"
#include "daemon/state/host.h"
#include "nat/connections.h"
#include "nat/nat_table.h"

namespace fipd {

struct ReconcileRules {
  std::uint32_t route_table = 172;  // whose foreign changes are looked into
  unsigned route_protocol = 172;    // of our routes there
  DeriveRules derive;
  SteeringRules steering;
  nat::RulesetOptions ruleset;
  std::chrono::milliseconds linger{2000};
  // Open connections of a floating IP that is removed, and of a forward, live on until the floating
  // IP gets another owner.
  bool keep_connections_on_remove = false;
  unsigned sources = 0;  // how many must be complete before orphans of an earlier run are removed
};

// The kernel as the reconciler sees it; the fakes stand here in tests.
struct KernelParts {
  bgp::RouteTable& routes;
  bgp::Network& network;
  nat::NatTable& nat;
  nat::Connections& connections;
  bgp::LinkSettings* links = nullptr;  // null: links stay as they are
};

// The single writer. Sources say what should be, the kernel what is; whatever may have changed is
// marked, and a pass compares the marked ones, writes the differences in the promised order, and
// remembers what it wrote. Events only mark. Everything on the event loop's thread, but for batches
// and dumps that would block it: these run on a thread of its own, one at a time.
class Reconciler final : public ClaimSink, public bgp::NetworkObserver, public nat::NatObserver {
 public:
  Reconciler(boost::asio::any_io_executor executor, KernelParts kernel, ReconcileRules rules,
             EventHub& events);

  // Reads the host's links and addresses. Before run().
  [[nodiscard]] Outcome start();
  // Adopts what is in the kernel, then passes for ever.
  boost::asio::awaitable<void> run();
  // Deletes the connections of translations that are no more, for ever: apart from the passes,
  // because it walks the whole connection table.
  boost::asio::awaitable<void> run_flushes();

  // True when everything that was marked before the call has been answered by the kernel; false
  // where it has not by the deadline.
  boost::asio::awaitable<bool> settled(Signal::Clock::time_point deadline);
  // Notified after every pass.
  [[nodiscard]] Signal& passed() { return passed_; }

  // Whom to mute while a big transaction of ours goes through. May be null.
  void set_nat_events(nat::NatEvents* events) { nat_events_ = events; }

  void configure(ReconcileRules rules);
  [[nodiscard]] const ReconcileRules& rules() const { return rules_; }

  // No peer has this withdrawn address any more: its mapping may go before the linger time ends.
  void release(const IpAddress& floating);
  // Called with addresses whose routes have just gone, for whatever reason.
  void on_unrouted(std::function<void(const IpAddress&)> call) { on_unrouted_ = std::move(call); }

  // Called with addresses of which something was written and that have a route now.
  void on_routed(std::function<void(const IpAddress&)> call) { on_routed_ = std::move(call); }

  // Steering (steer.cc): what stands above preferences.
  // Of an address, or of the whole host; the host's end ends all.
  void drain(const std::optional<IpAddress>& floating, bool drained);
  void set_failing(const IpAddress& floating, std::string reason);
  void set_passing(const IpAddress& floating);
  // Another host announces it, too.
  void noticed_elsewhere(const IpAddress& floating);
  // Nobody else does, or not yet.
  void seen_alone(const IpAddress& floating) { steering_.seen_alone(floating); }
  // Called with each address that is to be checked, and with null for those no more.
  using OnCheck = std::function<void(const IpAddress&, const Binding*)>;
  void on_check(OnCheck call) { on_check_ = std::move(call); }
  // Called with each address that waits for an instance to be migrated here, the interface and the
  // fixed addresses by which it may be heard; with 0 and none for those that wait no more.
  using OnAwaited =
      std::function<void(const IpAddress&, unsigned interface, std::vector<IpAddress> fixed)>;
  void on_awaited(OnAwaited call) { on_awaited_ = std::move(call); }
  // It was heard there.
  void arrived(const IpAddress& floating);
  [[nodiscard]] const Steering& steering() const { return steering_; }
  // Off the loop: how many tracked connections each has, in their order.
  boost::asio::awaitable<Result<std::vector<std::size_t>>> count_connections(
      std::vector<IpAddress> floatings);

  [[nodiscard]] const Bindings& bindings() const { return bindings_; }
  [[nodiscard]] const Host& host() const { return host_; }
  [[nodiscard]] const Standings& standings() const { return standings_; }
  [[nodiscard]] const KnownRoutes& routes() const { return routes_; }
  // What it is still translated to, for addresses that nobody claims any more.
  [[nodiscard]] std::optional<Target> translated_to(const IpAddress& floating) const;
  // The counters of floating IPs as somebody has just read them, sorted by address: with these
  // they go on where the kernel's table was lost. Called from the loop.
  void note_traffic(KnownNat::Reading reading);
  [[nodiscard]] const std::vector<bgp::StrangerRoute>& strangers() const { return strangers_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // Sentences on what is not in order, apart from single addresses.
  [[nodiscard]] std::vector<std::string> problems() const;
  // Sentences on what may keep packets from instances, though fipd is in order.
  [[nodiscard]] std::vector<std::string> warnings() const;
  // What a change would write, were it made now; what the rules lack is still `needed`.
  [[nodiscard]] Preview preview(const PreviewRequest& request);

  // ClaimSink
  void put(Claim claim) override;
  void remove(const IpAddress& floating, std::string_view origin) override;
  void set_complete(unsigned rank) override;
  void begin_batch() override;
  void end_batch() override;

  // bgp::NetworkObserver
  void link_changed(const bgp::Link& link) override;
  void link_removed(unsigned index) override;
  void address_added(const bgp::LocalAddress& address) override;
  void address_removed(const bgp::LocalAddress& address) override;
  void route_changed(const bgp::RouteEvent& event) override;
  void forwarding_changed(const bgp::Forwarding& setting) override { forwarding_.put(setting); }
  void network_overrun() override;

  // nat::NatObserver
  void foreign_commit(const nat::ForeignCommit& commit) override;
  void neighbours_changed() override;
  void nat_overrun() override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Withdrawal {
    Clock::time_point deadline;
    bool released = false;
  };
  struct Failure {
    std::string text;
    Clock::time_point retry;
    unsigned attempts = 0;
  };
  // What one pass found out of one address; becomes its standing when the kernel has answered.
  struct Verdict {
    IpAddress floating;
    Standing standing;
    bool written = false;  // the pass writes something of it
  };
  struct Pass;

  // Marks: cheap, from anywhere on the loop.
  void mark(const IpAddress& floating);
  void mark(const AddressSet* floatings);
  void mark_all();
  [[nodiscard]] bool suspicious() const;
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] std::uint64_t next_answer() const;
  void expect_work();
  void suspect_nat(std::string culprit);
  void suspect_routes(std::string culprit);
  void suspect_interface(unsigned interface);
  bool note_lost(const bgp::RouteEvent& event);

  // What is not urgent, between passes (chores.cc).
  [[nodiscard]] Clock::time_point next_look() const;
  boost::asio::awaitable<void> look_at_neighbours();

  // Reading the kernel (read_kernel.cc).
  // False: not all of it could be read.
  boost::asio::awaitable<bool> read_what_is_suspect();
  bool read_host_again();
  boost::asio::awaitable<bool> read_nat();
  boost::asio::awaitable<bool> read_routes();
  void read_interface(unsigned interface);
  void forget_route(const IpAddress& destination, std::uint32_t metric);
  [[nodiscard]] Outcome read_host();
  void read_forwarding();
  void adopt();
  void note_kernel_problem(std::string text);
  void note_strangers(std::vector<bgp::StrangerRoute> strangers);

  // One pass (pass.cc).
  boost::asio::awaitable<void> pass();
  [[nodiscard]] PlanRules plan_rules() const;
  void make_room(Pass& pass);
  boost::asio::awaitable<void> gather(Pass& pass);
  void note_gap(Pass& pass);
  boost::asio::awaitable<void> compare(Pass& pass);
  void compare(const IpAddress& floating, Pass& pass);
  Desired steered(const Claim& claim, Pass& pass, Steering::Word& word);
  void watch(const Claim& claim, const Desired& desired);
  void unwatch(const IpAddress& floating);
  void await_instance(const Claim& claim, const Desired& desired);
  void await_no_more(const IpAddress& floating);
  void inherit();
  void note_role(const Claim& claim);
  void leave_alone(const IpAddress& floating, std::string why, Pass& pass);
  void retire(const IpAddress& floating, Pass& pass);
  void note_withdrawal(const IpAddress& floating, Clock::time_point now);
  boost::asio::awaitable<void> conclude(Pass& pass);
  void conclude(Verdict& verdict, Pass& pass);
  void tell(const Verdict& verdict, bool gone, const Pass& pass);
  [[nodiscard]] bool held_long(const Pass& pass);
  boost::asio::awaitable<void> yield(Pass& pass);

  // Its writes (write.cc).
  boost::asio::awaitable<bool> write(Pass& pass);
  boost::asio::awaitable<bool> write_mappings(Pass& pass);
  boost::asio::awaitable<bool> write_features(Pass& pass);
  boost::asio::awaitable<void> refused(const Pass& pass, const nat::CommitFailure& failure);
  boost::asio::awaitable<void> features_refused(const Pass& pass, const nat::RulesetOptions& have,
                                                const Error& error);
  [[nodiscard]] std::optional<IpAddress> floating_of(const nat::ElementChange& change) const;
  boost::asio::awaitable<tl::expected<void, nat::CommitFailure>> commit_unheard(
      const std::vector<nat::ElementChange>& changes);
  boost::asio::awaitable<bool> write_routes(Pass& pass,
                                            const std::vector<bgp::RouteChange>& changes);
  void refuse(const IpAddress& floating, const Error& error);
  boost::asio::awaitable<void> pause(std::chrono::milliseconds time);
  [[nodiscard]] bool is_in_force(const nat::Translation& translation) const;
  void note_flush_problem(const Error& error);

  boost::asio::any_io_executor executor_;
  KernelParts kernel_;
  nat::NatEvents* nat_events_ = nullptr;
  ReconcileRules rules_;
  EventHub& events_;

  Bindings bindings_;
  Host host_;
  KnownNat nat_;
  // Rules that something has needed since we began: asked for from then on.
  bool forwards_needed_ = false;
  bool limits_needed_ = false;
  KnownNat::Reading traffic_;
  unsigned traffic_readings_ = 0;
  [[nodiscard]] nat::RulesetOptions ruleset() const;
  KnownRoutes routes_;
  Standings standings_;
  std::vector<bgp::StrangerRoute> strangers_;
  Counters counters_;

  AddressHashSet marked_;
  bool all_marked_ = false;
  Clock::time_point first_mark_;
  // Bound without an interface's name, and without an interface now: any link may be theirs.
  AddressHashSet waiting_unnamed_;
  // Left by an earlier run, and not claimed yet by any source in this one.
  AddressHashSet adopted_;
  std::vector<unsigned> complete_;
  bool complete() const { return complete_.size() >= rules_.sources; }

  // Whose route has gone, for whatever reason, and has not come back: how long peers may still
  // send.
  boost::unordered_flat_map<IpAddress, Withdrawal, AddressHash> withdrawing_;
  boost::unordered_flat_map<IpAddress, Failure, AddressHash> failures_;
  std::function<void(const IpAddress&)> on_unrouted_;
  std::function<void(const IpAddress&)> on_routed_;
  Steering steering_;
  AddressHashSet checked_;
  OnCheck on_check_;
  AddressHashSet awaited_;
  OnAwaited on_awaited_;

  bool host_suspect_ = false;
  bool nat_suspect_ = true;
  bool routes_suspect_ = true;
  std::vector<unsigned> interfaces_suspect_;
  // Routes of ours that the kernel said are gone: destination and metric.
  std::vector<std::pair<IpAddress, std::uint32_t>> lost_;
  std::string nat_culprit_;
  std::string routes_culprit_;
  bool adopted_once_ = false;
  bool rules_were_gone_ = false;
  Clock::time_point nat_read_at_;
  unsigned quick_reads_ = 0;
  unsigned refused_in_a_row_ = 0;
  unsigned reads_failed_in_a_row_ = 0;
  std::string kernel_problem_;

  MetadataLinks metadata_;
  ForwardingSettings forwarding_;
  std::vector<nat::Neighbour> neighbours_;
  bool look_at_neighbours_ = true;
  Clock::time_point looked_at_;

  int batch_depth_ = 0;
  bool reading_ = false;  // what was suspect; the pass that compares it has not begun
  std::uint64_t started_ = 0;
  std::uint64_t done_ = 0;
  Signal work_;
  Signal passed_;
  Alarms alarms_;

  std::vector<nat::Translation> to_flush_;
  std::string flush_problem_;
  Signal flush_;

  Background kernel_thread_;
  Background flush_thread_;
};

}  // namespace fipd
