#include "daemon/observe/metrics.h"

#include <iterator>

namespace fipd {
namespace {

// A label's value is quoted: backslash, quote and newline must not end it.
std::string quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text += '"';
}

class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type);
  }
  template <typename Number>
  void sample(Number value, std::string_view labels = {}) {
    if (labels.empty()) {
      fmt::format_to(std::back_inserter(text_), "{} {}\n", name_, value);
    } else {
      fmt::format_to(std::back_inserter(text_), "{}{{{}}} {}\n", name_, labels, value);
    }
  }
  template <typename Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(value);
  }
  // A sample of a family that has several kinds of them.
  template <typename Number>
  void part(std::string_view suffix, Number value, std::string_view labels = {}) {
    const std::string_view family = name_;
    const std::string name = fmt::format("{}{}", family, suffix);
    name_ = name;
    sample(value, labels);
    name_ = family;
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
  std::string_view name_;
};

void add_general(Exposition& out, const StatusReport& status) {
  out.family("fipd_build_info", "gauge", "Always 1; the version is in the label.");
  out.sample(1, "version=" + quoted(status.version));
  const auto since_epoch = std::chrono::duration<double>(status.started.time_since_epoch());
  out.single("fipd_start_time_seconds", "gauge", "When the daemon started, in Unix time.",
             since_epoch.count());
  out.single("fipd_problems", "gauge", "Problems that fipctl status names; 0 is healthy.",
             status.problems.size());
  out.single("fipd_warnings", "gauge", "Warnings that fipctl status names.",
             status.warnings.size());
  out.family("fipd_floating_ips", "gauge", "Floating IPs by how far they are.");
  for (std::size_t i = 0; i < kStates; ++i) {
    out.sample(status.counts[i], "state=" + quoted(to_string(static_cast<State>(i))));
  }
}

void add_sources(Exposition& out, const std::vector<SourceReport>& sources) {
  const auto each = [&](auto value) {
    for (const SourceReport& source : sources) {
      out.sample(value(source), "source=" + quoted(source.name));
    }
  };
  out.family("fipd_source_complete", "gauge", "1 once the source gave its first whole snapshot.");
  each([](const SourceReport& source) { return source.complete ? 1 : 0; });
  out.family("fipd_source_claims", "gauge", "Floating IPs that the source claims.");
  each([](const SourceReport& source) { return source.claims; });
  out.family("fipd_source_held", "gauge", "Removals held until fipctl accept.");
  each([](const SourceReport& source) { return source.held; });
  out.family("fipd_source_problems", "gauge", "What the source could not read or take.");
  each([](const SourceReport& source) { return source.problems.size(); });
}

void add_bird(Exposition& out, const BirdReport& bird) {
  out.single("fipd_bird_enabled", "gauge", "1 where fipd is configured to talk to BIRD.",
             bird.enabled ? 1 : 0);
  out.single("fipd_bird_connected", "gauge", "1 while BIRD answers on its control socket.",
             bird.connected ? 1 : 0);
  out.family("fipd_bird_session_established", "gauge", "1 while the BGP session is established.");
  for (const SessionReport& session : bird.sessions) {
    out.sample(session.established ? 1 : 0, "session=" + quoted(session.name));
  }
  out.family("fipd_bird_session_exported", "gauge",
             "Floating IPs that the session has, as last seen.");
  for (const SessionReport& session : bird.sessions) {
    out.sample(session.exported, "session=" + quoted(session.name));
  }
  out.family("fipd_bird_kernel_protocol_up", "gauge",
             "1 while BIRD's kernel protocol for our table is up.");
  for (const KernelProtocolReport& protocol : bird.kernel_protocols) {
    out.sample(protocol.state == "up" ? 1 : 0, "protocol=" + quoted(protocol.name));
  }
  out.family("fipd_not_announced", "gauge",
             "Routed floating IPs that a session lacks, by the first thing in the way.");
  for (const auto& [cause, count] : bird.missing) out.sample(count, "cause=" + quoted(cause));
  out.single("fipd_duplicates", "gauge", "Floating IPs that other hosts announce as well.",
             bird.duplicates);
}

void add_latency(Exposition& out, std::string_view name, std::string_view help,
                 const Latency& latency) {
  out.family(name, "histogram", help);
  for (std::size_t i = 0; i < Latency::kBounds.size(); ++i) {
    out.part("_bucket", latency.within(i), fmt::format("le=\"{}\"", Latency::kBounds[i]));
  }
  out.part("_bucket", latency.count(), "le=\"+Inf\"");
  out.part("_sum", latency.sum());
  out.part("_count", latency.count());
}

void add_bird_counters(Exposition& out, const BirdCounters& counters) {
  out.single("fipd_bird_refreshes_total", "counter", "Looks at all that BIRD's sessions have.",
             counters.refreshes);
  out.single("fipd_bird_refresh_seconds", "gauge", "How long the last of them took.",
             counters.refresh_seconds);
  out.single("fipd_bird_nudges_total", "counter",
             "Times that BIRD was made to read a kernel table of which it had lost events.",
             counters.nudges);
  add_latency(out, "fipd_announce_seconds", "From a route's write until a session has it.",
              counters.announce);
  add_latency(out, "fipd_withdraw_seconds", "From a route's end until no session has it.",
              counters.withdraw);
}

void add_drain(Exposition& out, const StatusReport& status) {
  out.single("fipd_host_drained", "gauge", "1 while the whole host is drained.",
             status.host_drained ? 1 : 0);
  out.single("fipd_drain_marks", "gauge", "Floating IPs that were drained by name.",
             status.drain_marks);
}

void add_health(Exposition& out, const HealthReport& health) {
  out.single("fipd_health_checks", "gauge", "Floating IPs whose instance is checked.",
             health.checks);
  out.single("fipd_health_checks_failing", "gauge", "Checks that fail.", health.failing);
  out.single("fipd_health_checks_held", "gauge",
             "Failing checks that nothing is made of, because too many fail at once.", health.held);
  out.single("fipd_health_brake", "gauge", "1 while too many checks fail at once.",
             health.braking ? 1 : 0);
  out.single("fipd_health_probes_total", "counter", "Probes sent.", health.probes);
  out.single("fipd_health_probes_failed_total", "counter", "Probes without an answer.",
             health.probes_failed);
}

void add_counters(Exposition& out, const Counters& counters) {
  const auto counter = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.single(name, "counter", help, value);
  };
  counter("fipd_nat_transactions_total", "nftables transactions committed.",
          counters.nat_transactions);
  counter("fipd_nat_elements_total", "Map elements written.", counters.nat_elements);
  counter("fipd_nat_refusals_total", "nftables transactions that the kernel refused.",
          counters.nat_refusals);
  counter("fipd_route_changes_total", "Routes added or deleted.", counters.route_changes);
  counter("fipd_route_refusals_total", "Route changes that the kernel refused.",
          counters.route_refusals);
  counter("fipd_repairs_total", "Repairs of what somebody else changed.", counters.repairs);
  counter("fipd_kernel_reads_total", "Full reads of kernel state.", counters.kernel_reads);
  counter("fipd_connections_flushed_total", "Connections flushed after a move or removal.",
          counters.connections_flushed);
  counter("fipd_passes_total", "Passes of the reconciler.", counters.passes);
  out.single("fipd_longest_slice_seconds", "gauge",
             "The longest that one slice of a pass held the event loop.",
             static_cast<double>(counters.longest_slice_ns) / 1e9);
}

void add_guard(Exposition& out, const GuardReport& guard) {
  out.single("fipd_untranslated_packets_total", "counter",
             "Packets for floating IPs that nobody here has, dropped by nat.guard.", guard.packets);
  out.single("fipd_untranslated_bytes_total", "counter", "Bytes of these.", guard.bytes);
}

void add_accounting(Exposition& out, const AccountingReport& accounting) {
  const auto family = [&](std::string_view name, std::string_view help, auto in, auto out_of) {
    out.family(name, "counter", help);
    out.sample(in, "direction=\"in\"");
    out.sample(out_of, "direction=\"out\"");
  };
  const Traffic& total = accounting.total;
  out.single("fipd_traffic_counted", "gauge", "Floating IPs whose traffic is counted.",
             accounting.counted);
  family("fipd_traffic_packets_total", "Packets of all floating IPs; in is towards the instances.",
         total.in_packets, total.out_packets);
  family("fipd_traffic_bytes_total", "Bytes of these.", total.in_bytes, total.out_bytes);
  if (accounting.each.empty()) return;
  const auto series = [&](std::string_view name, std::string_view help, auto in, auto out_of) {
    out.family(name, "counter", help);
    for (const auto& [floating, traffic] : accounting.each) {
      out.sample(traffic.*in, fmt::format("floating=\"{}\",direction=\"in\"", floating));
      out.sample(traffic.*out_of, fmt::format("floating=\"{}\",direction=\"out\"", floating));
    }
  };
  series("fipd_floating_ip_packets_total", "Packets of one floating IP.", &Traffic::in_packets,
         &Traffic::out_packets);
  series("fipd_floating_ip_bytes_total", "Bytes of one floating IP.", &Traffic::in_bytes,
         &Traffic::out_bytes);
}

}  // namespace

std::string render_metrics(const StatusReport& status) {
  Exposition out;
  add_general(out, status);
  add_sources(out, status.sources);
  add_bird(out, status.bird);
  add_bird_counters(out, status.bird.counters);
  add_drain(out, status);
  add_health(out, status.health);
  add_counters(out, status.counters);
  if (status.guard) add_guard(out, *status.guard);
  if (status.accounting) add_accounting(out, *status.accounting);
  return out.take();
}

}  // namespace fipd
