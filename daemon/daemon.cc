#include "daemon/daemon.h"

#include <algorithm>
#include <array>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/notify.h"

namespace fipd {
namespace {

void task_failed(const std::string& name, const std::string& what) {
  // A coroutine that dies leaves the daemon half alive, which is worse than a restart: the kernel's
  // state outlives us, and the service manager brings us back.
  spdlog::critical("task {} failed: {}; ending, to be restarted", name, what);
  std::_Exit(1);
}

health::CheckRules checks_of(const Config& config) {
  health::CheckRules rules;
  rules.interval = config.health.interval;
  rules.timeout = config.health.timeout;
  rules.rise = config.health.rise;
  rules.fall = config.health.fall;
  rules.jitter = config.health.jitter;
  rules.brake_share = config.health.brake_share;
  rules.brake_above = config.health.brake_above;
  return rules;
}

// Of one that forwards ports, the first instance.
health::CheckTarget target_of_check(const Binding& binding) {
  const HealthCheck& check = *binding.extras->check;
  const bool tcp = check.kind == HealthCheck::Kind::kTcp;
  const IpAddress& fixed =
      binding.forwards().empty() ? binding.fixed : binding.forwards().front().fixed;
  return {fixed, tcp ? check.port : std::uint16_t{0}};
}

}  // namespace

Daemon::Daemon(boost::asio::io_context& context, Config config, std::filesystem::path config_file)
    : context_(context),
      at_start_(config),
      config_(std::move(config)),
      config_file_(std::move(config_file)),
      started_(std::chrono::system_clock::now()),
      tasks_(context.get_executor(), task_failed) {}

Daemon::~Daemon() = default;

// The sources tell what befalls them as events only; the log has it, too.
void Daemon::log_sources() {
  log_of_sources_ = events_.subscribe([](const Event& event) {
    if (event.kind == "held" || event.kind == "source") spdlog::warn("{}", event.text);
  });
}

Outcome Daemon::start() {
  if (auto opened = open_kernel(); !opened) return opened;
  open_health();
  open_arrivals();
  if (auto opened = open_sources(); !opened) return opened;
  open_bird();
  control::HttpOptions options;
  options.path = config_.control.socket;
  options.group = config_.control.group;
  options.read_by_all = config_.control.read_by_all;
  options.metrics_listen = config_.metrics.listen;
  options.limits.clients = config_.limits.clients;
  options.limits.request_bytes = config_.limits.request_bytes;
  options.limits.unsent_bytes = config_.limits.unsent_bytes;
  server_ =
      std::make_unique<control::HttpServer>(context_.get_executor(), options, *this, parsing_);
  if (auto listening = server_->start(); !listening) return listening;
  for (const std::string& warning : server_->warnings()) spdlog::warn("{}", warning);
  spawn_tasks();
  return {};
}

// Monitors are open before the first read, so that no change can fall between.
Outcome Daemon::open_kernel() {
  auto routes = bgp::KernelRouteTable::open(config_.route.table, config_.route.protocol);
  if (!routes) return fail(std::move(routes).error());
  routes_ = std::move(*routes);
  auto network = bgp::KernelNetwork::open();
  if (!network) return fail(std::move(network).error());
  network_ = std::move(*network);
  auto links = bgp::KernelLinkSettings::open();
  if (!links) return fail(std::move(links).error());
  links_ = std::move(*links);
  auto nat = nat::NftTable::open(config_.nat.table);
  if (!nat) return fail(std::move(nat).error());
  nat_ = std::move(*nat);
  auto connections = nat::KernelConnections::open();
  if (!connections) return fail(std::move(connections).error());
  connections_ = std::move(*connections);
  auto counted = nat::NftTable::open(config_.nat.table);
  if (!counted) return fail(std::move(counted).error());
  counted_ = std::move(*counted);
  meter_ = std::make_unique<TrafficMeter>(context_.get_executor(), *counted_, meter_of(config_),
                                          events_);
  // An element that has to be written anew goes on counting from there.
  meter_->on_read(
      [this](TrafficMeter::Reading reading) { reconciler_->note_traffic(std::move(reading)); });

  const KernelParts parts{*routes_, *network_, *nat_, *connections_, links_.get()};
  reconciler_ =
      std::make_unique<Reconciler>(context_.get_executor(), parts, rules_of(config_), events_);
  const std::array<std::uint32_t, 1> route_port{routes_->port()};
  auto network_monitor =
      bgp::NetworkMonitor::open(context_.get_executor(), route_port, *reconciler_);
  if (!network_monitor) return fail(std::move(network_monitor).error());
  network_monitor_ = std::move(*network_monitor);
  const std::vector<std::uint32_t> nat_ports = nat_->ports();
  auto nat_monitor =
      nat::NatMonitor::open(context_.get_executor(), config_.nat.table, nat_ports, *reconciler_);
  if (!nat_monitor) return fail(std::move(nat_monitor).error());
  nat_monitor_ = std::move(*nat_monitor);
  reconciler_->set_nat_events(nat_monitor_.get());
  return reconciler_->start();
}

Outcome Daemon::open_sources() {
  log_sources();
  // Beside the control socket: a tmpfs, which neither fills up with the store nor turns read-only.
  store_ = std::make_unique<StoreKeeper>(config_.store.path, config_.control.socket.parent_path());
  ApiView view{reconciler_->bindings(), reconciler_->host(),
               [this]() -> const DeriveRules& { return reconciler_->rules().derive; },
               [this] { return drain_words(); }};
  api_ = std::make_unique<ApiSource>(context_.get_executor(), disk_, *store_, api_of(config_),
                                     std::move(view), *reconciler_, events_);
  if (auto loaded = api_->load(); !loaded) return loaded;
  for (const std::string& problem : api_->report().problems) spdlog::error("api: {}", problem);
  restore_drains();
  files_ = std::make_unique<FilesSource>(context_.get_executor(), parsing_, files_of(config_),
                                         *reconciler_, events_);
  if (!config_.etcd.endpoints.empty()) {
    if (auto opened = open_etcd(); !opened) return opened;
  }
  return config_.calico.enabled ? open_calico() : success();
}

void Daemon::open_health() {
  prober_ = std::make_unique<health::KernelProber>(context_.get_executor());
  health_ = std::make_unique<health::HealthChecks>(context_.get_executor(), *prober_, events_,
                                                   checks_of(config_));
  health_->on_change([this](const health::CheckChange& change) {
    if (change.failing) {
      reconciler_->set_failing(change.floating, change.reason);
    } else {
      reconciler_->set_passing(change.floating);
    }
  });
  reconciler_->on_check([this](const IpAddress& floating, const Binding* binding) {
    if (binding == nullptr) return health_->forget(floating);
    health_->want(floating, target_of_check(*binding));
  });
}

void Daemon::open_arrivals() {
  arrivals_ = std::make_unique<arrival::ArrivalWatch>(
      context_.get_executor(), [this](const IpAddress& floating) {
        spdlog::info("{} is heard on its interface: its instance runs here", floating);
        reconciler_->arrived(floating);
      });
  auto awaited = [this](const IpAddress& floating, unsigned interface,
                        std::vector<IpAddress> fixed) {
    if (interface == 0) return arrivals_->forget(floating);
    if (config_.route.take_over_when_heard) {
      arrivals_->want(floating, interface, std::move(fixed));
    }
  };
  reconciler_->on_awaited(std::move(awaited));
}

void Daemon::spawn_tasks() {
  tasks_.spawn("reconciler", reconciler_->run());
  tasks_.spawn("connection flush", reconciler_->run_flushes());
  tasks_.spawn("api", api_->run());
  if (etcd_) {
    tasks_.spawn("etcd", etcd_->run());
    tasks_.spawn("etcd's snapshot", etcd_->run_saves());
    tasks_.spawn("status to etcd", etcd_status_->run());
  }
  tasks_.spawn("traffic", meter_->run());
  if (calico_) {
    tasks_.spawn("calico", calico_->run());
    tasks_.spawn("calico's removals", calico_->run_removals());
    tasks_.spawn("calico's snapshot", calico_->run_saves());
  }
  if (announcements_) {
    tasks_.spawn("announcements", announcements_->run_refreshes());
    tasks_.spawn("news of routes", announcements_->run_news());
    tasks_.spawn("withdrawals", announcements_->run_withdrawals());
    tasks_.spawn("routes to announce", tell_announcements());
  }
  tasks_.spawn("health checks", health_->run());
  tasks_.spawn("drain", drain_watch_->run());
  tasks_.spawn("service manager", tell_service_manager());
  network_monitor_->start();
  nat_monitor_->start();
  files_->start();
  if (bird_watch_) bird_watch_->start();
}

// Until the answers are out all parts work on: a change that is under way is carried through. What
// an answer that came too late may still look at is closed and not destroyed.
boost::asio::awaitable<void> Daemon::stop(std::chrono::milliseconds goodbye) {
  notify_service("STOPPING=1");
  co_await server_->finish(goodbye);
  server_->stop();
  prober_->close();
  arrivals_->close();
  bird_watch_.reset();
  files_->stop();
  network_monitor_.reset();
  reconciler_->set_nat_events(nullptr);
  nat_monitor_.reset();
  tasks_.cancel();
}

// READY when the first pass is done, or cannot be: then the status says why.
boost::asio::awaitable<void> Daemon::tell_service_manager() {
  using std::chrono_literals::operator""s;
  const bool settled = co_await reconciler_->settled(Signal::Clock::now() + 20s);
  spdlog::info("fipd {} on {}: {} floating IP(s), {}", FIPD_VERSION, config_.host.name,
               reconciler_->bindings().size(), settled ? "in order" : "the kernel does not answer");
  notify_service("READY=1");
  const auto interval = watchdog_interval();
  if (!interval) co_return;
  boost::asio::steady_timer timer(context_);
  for (;;) {
    notify_service("WATCHDOG=1");
    timer.expires_after(*interval);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
}

ReconcileRules Daemon::rules_of(const Config& config) const {
  ReconcileRules rules;
  rules.route_table = at_start_.route.table;
  rules.route_protocol = at_start_.route.protocol;
  rules.derive.pools = config.pools.allowed;
  rules.derive.metric = config.route.metric;
  rules.derive.preferred_metric = config.route.preferred_metric;
  rules.derive.drained_metric = config.route.drained_metric;
  rules.steering.settle = config.route.settle;
  rules.steering.withdraw_failing = config.health.on_failure == "withdraw";
  rules.ruleset.table = at_start_.nat.table;
  rules.ruleset.snat = config.nat.snat;
  rules.ruleset.internal = config.nat.internal;
  if (config.nat.guard) rules.ruleset.guarded = config.pools.allowed;
  rules.ruleset.accounting = config.nat.accounting;
  rules.ruleset.metadata.listen = config.metadata.listen;
  if (!config.metadata.listen.empty()) {
    rules.ruleset.metadata.interfaces = config.metadata.interfaces;
  }
  rules.linger = config.nat.linger;
  rules.keep_connections_on_remove = config.nat.keep_connections_on_remove;
  rules.derive.default_limits = config.floating_ip_limits;
  rules.sources = 2;  // api, files
  if (!at_start_.etcd.endpoints.empty()) ++rules.sources;
  if (at_start_.calico.enabled) ++rules.sources;
  return rules;
}

MeterOptions Daemon::meter_of(const Config& config) const {
  MeterOptions options;
  options.guard = config.nat.guard && !config.pools.allowed.empty();
  options.accounting = config.nat.accounting;
  return options;
}

ApiOptions Daemon::api_of(const Config& config) const {
  ApiOptions options;
  options.rank = rank_of("api");
  options.most_floating_ips = config.limits.floating_ips;
  return options;
}

FilesOptions Daemon::files_of(const Config& config) const {
  FilesOptions options;
  options.directory = at_start_.files.directory;
  options.rank = rank_of("files");
  options.hold_share = config.sources.hold_share;
  options.hold_above = config.sources.hold_above;
  options.max = config.limits.floating_ips;
  return options;
}

boost::asio::awaitable<Result<std::vector<std::string>>> Daemon::reload() {
  notify_service("RELOADING=1");
  auto next = load_config(config_file_);
  if (!next) {
    spdlog::error("configuration not taken over, the old one stays in force:\n{}",
                  next.error().message());
    notify_service("READY=1");
    co_return fail(std::move(next).error());
  }
  std::vector<std::string> later = needs_restart(at_start_, *next);
  config_ = std::move(*next);
  spdlog::set_level(spdlog::level::from_str(config_.log.level));
  reconciler_->configure(rules_of(config_));
  health_->configure(checks_of(config_));
  if (!config_.route.take_over_when_heard) arrivals_->close();
  meter_->configure(meter_of(config_));
  api_->configure(api_of(config_));
  files_->apply(files_of(config_));
  const HoldRule hold{config_.sources.hold_share, config_.sources.hold_above};
  if (etcd_) etcd_->configure(hold, config_.limits.floating_ips);
  if (calico_) calico_->configure(hold, config_.limits.floating_ips);
  if (bird_watch_) bird_watch_->set_interval(config_.bird.interval);
  spdlog::info("configuration taken over{}{}", later.empty() ? "" : "; a restart is needed for ",
               fmt::join(later, ", "));
  notify_service("READY=1");
  co_return later;
}

boost::asio::awaitable<Result<std::size_t>> Daemon::accept(std::string source) {
  const bool known = source.empty() || source == "files" || (source == "etcd" && etcd_) ||
                     (source == "calico" && calico_);
  if (!known) {
    co_return fail(ErrorCode::kNotFound,
                   "source '{}' holds nothing: only 'files', 'etcd' and 'calico' can", source);
  }
  std::size_t count = 0;
  if (source.empty() || source == "files") {
    Result<std::size_t> accepted = co_await files_->accept();
    if (!accepted) co_return accepted;
    count += *accepted;
  }
  if (etcd_ && source != "files" && source != "calico") count += co_await etcd_->accept();
  if (calico_ && source != "files" && source != "etcd") count += co_await calico_->accept();
  co_return count;
}

}  // namespace fipd
