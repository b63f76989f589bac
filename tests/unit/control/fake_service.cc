#include "tests/unit/control/fake_service.h"

#include <algorithm>

namespace fipd {
namespace {

// Never announced, and claimed by a file as well.
bool stays_translated(const IpAddress& floating) {
  static const Prefix kSlow = *Prefix::parse("192.0.2.0/24");
  return kSlow.contains(floating);
}

ChangeFailure failure(ErrorCode code, const IpAddress& floating, std::string stable_code,
                      std::string_view why) {
  return ChangeFailure{Error(code, fmt::format("{} {}", floating, why)), floating,
                       std::move(stable_code)};
}

}  // namespace

FakeService::FakeService() = default;

void FakeService::fill(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto number = static_cast<std::uint32_t>(i);
    Binding binding;
    binding.floating = boost::asio::ip::address_v4(0x0a000000U + number);
    binding.fixed = boost::asio::ip::address_v4(0x0b000000U + number);
    binding.interface = "tap0";
    bindings_[binding.floating] = binding;
  }
}

StatusReport FakeService::status() {
  StatusReport report;
  report.version = FIPD_VERSION;
  report.host = "compute-1";
  report.started = std::chrono::system_clock::time_point(std::chrono::seconds(1700000000));
  report.counts[static_cast<std::size_t>(State::kAnnounced)] = bindings_.size();
  SourceReport api;
  api.name = "api";
  api.complete = true;
  api.claims = bindings_.size();
  SourceReport files;
  files.name = "files";
  files.held = healthy ? 0 : 12;
  files.problems = {"a.toml:3:1: unknown key"};
  report.sources = {api, files};
  report.bird.connected = healthy;
  report.bird.version = "2.0.12";
  if (!healthy) report.bird.problem = "connect /run/bird/bird.ctl: No such file or directory";
  SessionReport uplink;
  uplink.name = "uplink1";
  uplink.state = "up";
  uplink.info = "Established";
  uplink.since = "07:50:45.123";
  uplink.neighbor = "10.240.0.1";
  uplink.neighbor_as = "64513";
  uplink.established = uplink.carries = true;
  uplink.exported = bindings_.size();
  SessionReport other;
  other.name = "elsewhere";
  other.state = "start";
  other.info = "Active Socket: Connection refused";
  other.last_error = "Socket: Connection refused";
  report.bird.sessions = {uplink, other};
  report.bird.kernel_protocols = {{"fipd_kernel4", "up"}};
  report.counters.nat_transactions = 7;
  report.counters.longest_slice_ns = 2500000;
  if (!healthy) report.problems = {"BIRD does not answer"};
  report.warnings = {"chain filter forward of table ip drops what no rule of it accepts"};
  report.guard = GuardReport{.packets = 12, .bytes = 720};
  report.accounting.emplace();
  report.accounting->counted = bindings_.size();
  report.accounting->total = Traffic{.in_packets = 7, .in_bytes = 10500, .out_packets = 1};
  return report;
}

boost::asio::awaitable<std::vector<IpAddress>> FakeService::addresses() {
  std::vector<IpAddress> all;
  for (const auto& [floating, binding] : bindings_) all.push_back(floating);
  for (const RefusedWord& word : cannot_take) {
    if (word.floating && !bindings_.contains(*word.floating)) all.push_back(*word.floating);
  }
  std::sort(all.begin(), all.end());
  co_return all;
}

std::vector<FloatingIpReport> FakeService::rows(const IpAddress& floating) {
  std::vector<FloatingIpReport> rows = claimed_rows(floating);
  for (const RefusedWord& word : refused_of(cannot_take, floating)) rows.push_back(row_of(word));
  return rows;
}

std::vector<FloatingIpReport> FakeService::nameless_rows() {
  std::vector<FloatingIpReport> rows;
  for (const RefusedWord& word : refused_of(cannot_take, std::nullopt))
    rows.push_back(row_of(word));
  return rows;
}

std::vector<FloatingIpReport> FakeService::claimed_rows(const IpAddress& floating) const {
  const auto found = bindings_.find(floating);
  if (found == bindings_.end()) return {};
  FloatingIpReport row;
  row.binding = found->second;
  row.source = "api";
  row.interface = found->second.interface.empty() ? "tap0" : found->second.interface;
  row.state = State::kAnnounced;
  row.metric = 1024;
  row.announced = {"uplink1", "uplink2"};
  row.sessions = row.announced;
  if (!stays_translated(floating)) return {row};
  row.state = State::kTranslated;
  row.reason = "the route is not there yet";
  row.also_announced_by = {"10.240.0.7"};
  row.announced.clear();
  FloatingIpReport loser = row;
  loser.source = "files:/etc/fipd/floating-ips.d/a.toml";
  loser.state = State::kConflict;
  loser.reason = "api has it";
  return {row, loser};
}

boost::asio::awaitable<std::vector<FloatingIpReport>> FakeService::inspect(IpAddress floating) {
  co_return rows(floating);
}

boost::asio::awaitable<void> FakeService::read_counters() {
  ++counter_reads;
  co_return;
}

std::optional<Traffic> FakeService::traffic(const IpAddress& floating) {
  if (!bindings_.contains(floating)) return std::nullopt;
  return Traffic{.in_packets = 7, .in_bytes = 1500 * counter_reads, .out_packets = 1};
}

std::optional<ChangeFailure> FakeService::objection(const ChangeRequest& request) const {
  if (refuse_changes) return ChangeFailure{*refuse_changes, std::nullopt, ""};
  for (const Binding& binding : request.put) {
    const auto found = bindings_.find(binding.floating);
    if (binding.floating.is_loopback()) {
      return failure(ErrorCode::kBadInput, binding.floating, "own_address", "is this host's own");
    }
    if (!request.replace && found != bindings_.end() &&
        target_of(found->second) != target_of(binding)) {
      return failure(ErrorCode::kConflict, binding.floating, "conflict",
                     fmt::format("is bound to {}", to_string(target_of(found->second))));
    }
  }
  for (const IpAddress& floating : request.remove) {
    if (request.must_exist && !bindings_.contains(floating)) {
      return failure(ErrorCode::kNotFound, floating, "not_found", "is not bound by the API");
    }
  }
  return std::nullopt;
}

std::optional<ChangeFailure> FakeService::resolve(ChangeRequest& request) const {
  if (!request.forwards) return std::nullopt;
  const IpAddress& floating = request.forwards->floating;
  const auto found = bindings_.find(floating);
  if (found == bindings_.end()) {
    return failure(ErrorCode::kNotFound, floating, "not_found", "is not bound by the API");
  }
  Binding binding = found->second;
  if (auto refusal = edit_forwards(*request.forwards, binding.extras.edit().forwards)) {
    return ChangeFailure{std::move(refusal->error), floating, std::string(refusal->stable_code)};
  }
  request.put.push_back(std::move(binding));
  request.replace = true;
  return std::nullopt;
}

boost::asio::awaitable<tl::expected<PreviewReport, ChangeFailure>> FakeService::preview(
    ChangeRequest request) {
  std::optional<ChangeFailure> refused = resolve(request);
  if (!refused) refused = objection(request);
  tl::expected<PreviewReport, ChangeFailure> outcome;
  if (refused) {
    outcome = tl::unexpected<ChangeFailure>(std::move(*refused));
    co_return outcome;
  }
  for (const Binding& binding : request.put) {
    const std::string floating = binding.floating.to_string();
    PreviewReport::Element element;
    element.map = "fixed_by_floating";
    element.key = floating;
    element.added = true;
    element.after = binding.fixed.to_string();
    outcome->elements.push_back(std::move(element));
    outcome->routes.push_back({"add", binding.floating, "tap0", 1024});
    outcome->commands.push_back(fmt::format(
        "nft add element inet fipd fixed_by_floating {{ {} : {} }}", floating, binding.fixed));
    outcome->commands.push_back(
        fmt::format("ip route add {} dev tap0 table 172 proto 172 metric 1024", floating));
  }
  for (const IpAddress& floating : request.remove) {
    outcome->notes.push_back(fmt::format("{} stays translated until no peer has it", floating));
    PreviewReport::Element element;
    element.map = "fixed_by_floating";
    element.key = floating.to_string();
    element.removed = true;
    element.before = bindings_.at(floating).fixed.to_string();
    outcome->elements_later.push_back(std::move(element));
    outcome->commands_later.push_back(
        fmt::format("nft delete element inet fipd fixed_by_floating {{ {} }}", floating));
  }
  co_return outcome;
}

boost::asio::awaitable<tl::expected<void, ChangeFailure>> FakeService::change(
    ChangeRequest request) {
  ++changes;
  std::optional<ChangeFailure> refused = resolve(request);
  if (!refused) refused = objection(request);
  tl::expected<void, ChangeFailure> outcome;
  if (refused) {
    outcome = tl::unexpected<ChangeFailure>(std::move(*refused));
    co_return outcome;
  }
  for (const Binding& binding : request.put) {
    bindings_[binding.floating] = binding;
    hub_.publish("bound", binding.floating,
                 fmt::format("bound {} -> {}", binding.floating, binding.fixed));
  }
  for (const IpAddress& floating : request.remove) {
    bindings_.erase(floating);
    hub_.publish("removed", floating, fmt::format("removed {}", floating));
  }
  co_return outcome;
}

boost::asio::awaitable<Outcome> FakeService::wait(std::vector<IpAddress> floatings, WaitFor what,
                                                  std::chrono::milliseconds timeout) {
  for (const IpAddress& floating : floatings) {
    if (what == WaitFor::kGone && !bindings_.contains(floating)) continue;
    const bool far_enough = !stays_translated(floating) || what == WaitFor::kTranslated;
    if (far_enough && what != WaitFor::kGone) continue;
    const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, timeout);
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return fail(ErrorCode::kTimeout, "{} is only translated", floating);
  }
  co_return success();
}

boost::asio::awaitable<tl::expected<void, ChangeFailure>> FakeService::drain(DrainRequest request,
                                                                             bool drained) {
  tl::expected<void, ChangeFailure> outcome;
  for (const IpAddress& floating : request.floatings) {
    std::optional<ChangeFailure> refused;
    if (!bindings_.contains(floating)) {
      refused = failure(ErrorCode::kNotFound, floating, "not_found", "is not bound here");
    } else if (!drained && host_drained_) {
      refused = failure(ErrorCode::kConflict, floating, "host_drained", "is drained with the host");
    }
    if (refused) {
      outcome = tl::unexpected<ChangeFailure>(std::move(*refused));
      co_return outcome;
    }
  }
  drain_looks_ = 0;
  if (request.host) host_drained_ = drained;
  if (request.host && !drained) drained_.clear();
  for (const IpAddress& floating : request.floatings) {
    if (drained) drained_.insert(floating);
    if (!drained) drained_.erase(floating);
  }
  co_return outcome;
}

boost::asio::awaitable<DrainReport> FakeService::drain_report(bool with_connections) {
  DrainReport report;
  report.host = host_drained_;
  report.marked = drained_.size();
  report.floating_ips = host_drained_ ? bindings_.size() : drained_.size();
  const bool told = ++drain_looks_ > 3 || report.floating_ips == 0;
  report.sessions = {{"uplink1", told ? 0 : report.floating_ips}, {"uplink2", 0}};
  if (with_connections) report.connections = 17;
  co_return report;
}

boost::asio::awaitable<Result<std::vector<std::string>>> FakeService::reload() {
  if (!healthy) co_return fail(ErrorCode::kBadInput, "fipd.toml:3:1: unknown key 'rout'");
  std::vector<std::string> names;
  names.emplace_back("control.socket");
  co_return names;
}

boost::asio::awaitable<Result<std::size_t>> FakeService::accept(std::string source) {
  if (source == "etcd") co_return fail(ErrorCode::kNotFound, "there is no source 'etcd'");
  co_return std::size_t{12};
}

}  // namespace fipd
