#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include <boost/asio/io_context.hpp>

#include "bgp/bird_client.h"
#include "bgp/bird_watch.h"
#include "bgp/kernel_network.h"
#include "bgp/kernel_route_table.h"
#include "bgp/link_settings.h"
#include "bgp/network_monitor.h"
#include "daemon/announcements.h"
#include "daemon/arrival/arrival_watch.h"
#include "daemon/base/background.h"
#include "daemon/base/tasks.h"
#include "daemon/config.h"
#include "daemon/control/http_server.h"
#include "daemon/control/service.h"
#include "daemon/drain_watch.h"
#include "daemon/health/health_checks.h"
#include "daemon/health/kernel_prober.h"
#include "daemon/reconcile/reconciler.h"
#include "daemon/sources/api.h"
#include "daemon/sources/etcd/etcd_source.h"
#include "daemon/sources/etcd/etcd_status.h"
#include "daemon/sources/files.h"
#include "daemon/state/store_keeper.h"
#include "daemon/traffic_meter.h"
#include "nat/kernel_connections.h"
#include "nat/nat_monitor.h"
#include "nat/nft_table.h"

namespace fipd {

// The composition root: owns every part, hands each what it needs, and answers the control API from
// them. One thread; the parts that would block have their own.
class Daemon final : public Service {
 public:
  Daemon(boost::asio::io_context& context, Config config, std::filesystem::path config_file);
  ~Daemon() override;

  // Opens everything, in the order in which nothing can be missed. On failure nothing was written
  // to the kernel.
  [[nodiscard]] Outcome start();
  // Ends: answers under way have `goodbye`, then all tasks are cancelled, and the context runs out
  // of work. The kernel's state stays as it is.
  boost::asio::awaitable<void> stop(std::chrono::milliseconds goodbye);

  // Service
  [[nodiscard]] StatusReport status() override;
  boost::asio::awaitable<std::vector<IpAddress>> addresses() override;
  [[nodiscard]] std::vector<FloatingIpReport> rows(const IpAddress& floating) override;
  [[nodiscard]] std::vector<FloatingIpReport> nameless_rows() override;
  boost::asio::awaitable<std::vector<FloatingIpReport>> inspect(IpAddress floating) override;
  boost::asio::awaitable<void> read_counters() override;
  [[nodiscard]] std::optional<Traffic> traffic(const IpAddress& floating) override;
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> change(ChangeRequest request) override;
  boost::asio::awaitable<tl::expected<PreviewReport, ChangeFailure>> preview(
      ChangeRequest request) override;
  boost::asio::awaitable<Outcome> wait(std::vector<IpAddress> floatings, WaitFor what,
                                       std::chrono::milliseconds timeout) override;
  boost::asio::awaitable<tl::expected<void, ChangeFailure>> drain(DrainRequest request,
                                                                  bool drained) override;
  boost::asio::awaitable<DrainReport> drain_report(bool with_connections) override;
  boost::asio::awaitable<Result<std::vector<std::string>>> reload() override;
  boost::asio::awaitable<Result<std::size_t>> accept(std::string source) override;
  [[nodiscard]] EventHub& events() override { return events_; }

 private:
  [[nodiscard]] Outcome open_kernel();
  [[nodiscard]] Outcome open_sources();
  void open_health();
  void open_arrivals();
  void log_sources();
  void restore_drains();
  [[nodiscard]] std::vector<StoreChange> drain_words() const;
  [[nodiscard]] tl::expected<void, ChangeFailure> judge_drain(const DrainRequest& request,
                                                              bool drained) const;
  void open_bird();
  void spawn_tasks();
  boost::asio::awaitable<void> tell_service_manager();
  boost::asio::awaitable<void> tell_announcements();
  [[nodiscard]] bool is_routed(const IpAddress& floating) const;
  [[nodiscard]] ReconcileRules rules_of(const Config& config) const;
  [[nodiscard]] MeterOptions meter_of(const Config& config) const;
  [[nodiscard]] ApiOptions api_of(const Config& config) const;
  [[nodiscard]] FilesOptions files_of(const Config& config) const;
  [[nodiscard]] unsigned rank_of(std::string_view source) const;
  [[nodiscard]] EtcdSourceOptions etcd_of(EtcdKeys keys) const;
  [[nodiscard]] Outcome open_etcd();
  [[nodiscard]] Outcome open_calico();
  [[nodiscard]] OurRoutes our_routes() const;
  void add_announced(FloatingIpReport& row) const;
  [[nodiscard]] std::vector<FloatingIpReport> claimed_rows(const IpAddress& floating) const;
  void add_way(FloatingIpReport& row);
  // What each source cannot take.
  [[nodiscard]] std::vector<const std::vector<RefusedWord>*> refused_words() const;
  [[nodiscard]] std::size_t drained_and_announced() const;
  // Why the API's claim on it is not in force, where there is one: another source's goes before it.
  [[nodiscard]] std::optional<Error> overruled(const IpAddress& floating) const;
  // Nothing: not yet. kKernel and the like: it never will.
  boost::asio::awaitable<std::optional<Outcome>> reached(IpAddress floating, WaitFor what);

  boost::asio::io_context& context_;
  const Config at_start_;  // what only a restart can change is in force from here
  Config config_;
  const std::filesystem::path config_file_;
  const std::chrono::system_clock::time_point started_;

  EventHub events_;
  EventHub::Subscription log_of_sources_;
  Background disk_;
  Background parsing_;
  Tasks tasks_;

  std::unique_ptr<bgp::KernelRouteTable> routes_;
  std::unique_ptr<bgp::KernelNetwork> network_;
  std::unique_ptr<bgp::KernelLinkSettings> links_;
  std::unique_ptr<nat::NftTable> nat_;
  std::unique_ptr<nat::KernelConnections> connections_;
  std::unique_ptr<nat::NftTable> counted_;  // the meter's own: its reads hold up nobody
  std::unique_ptr<StoreKeeper> store_;

  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<bgp::NetworkMonitor> network_monitor_;
  std::unique_ptr<nat::NatMonitor> nat_monitor_;
  std::unique_ptr<ApiSource> api_;
  std::unique_ptr<FilesSource> files_;
  std::unique_ptr<EtcdSource> etcd_;  // null where none is configured
  std::unique_ptr<EtcdStatus> etcd_status_;
  std::unique_ptr<EtcdSource> calico_;  // likewise
  std::unique_ptr<bgp::BirdClient> bird_;
  std::unique_ptr<Announcements> announcements_;
  std::unique_ptr<bgp::BirdWatch> bird_watch_;
  std::unique_ptr<DrainWatch> drain_watch_;
  std::unique_ptr<health::KernelProber> prober_;
  std::unique_ptr<health::HealthChecks> health_;
  std::unique_ptr<arrival::ArrivalWatch> arrivals_;
  std::unique_ptr<TrafficMeter> meter_;
  std::unique_ptr<control::HttpServer> server_;
};

}  // namespace fipd
