#include "daemon/control/render.h"

#include <time.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/state/document.h"

namespace fipd::control {
namespace {

template <typename Items, typename ToValue>
boost::json::array array_of(const Items& items, ToValue to_value) {
  boost::json::array array;
  array.reserve(items.size());
  for (const auto& item : items) array.push_back(to_value(item));
  return array;
}

boost::json::array strings(const std::vector<std::string>& texts) {
  return array_of(texts, [](const std::string& text) { return boost::json::value(text); });
}

boost::json::object source_json(const SourceReport& source) {
  return {{"name", source.name},
          {"complete", source.complete},
          {"claims", source.claims},
          {"held", source.held},
          {"problems", strings(source.problems)}};
}

boost::json::object session_json(const SessionReport& session) {
  return {{"name", session.name},
          {"state", session.state},
          {"info", session.info},
          {"since", session.since},
          {"neighbor", session.neighbor},
          {"neighbor_as", session.neighbor_as},
          {"last_error", session.last_error},
          {"established", session.established},
          {"carries", session.carries},
          {"exported", session.exported}};
}

boost::json::object kernel_protocol_json(const KernelProtocolReport& protocol) {
  return {{"name", protocol.name}, {"state", protocol.state}};
}

boost::json::object bird_json(const BirdReport& bird) {
  return {{"enabled", bird.enabled},
          {"connected", bird.connected},
          {"version", bird.version},
          {"problem", bird.problem},
          {"problems", strings(bird.problems)},
          {"kernel_protocols", array_of(bird.kernel_protocols, kernel_protocol_json)},
          {"duplicates", bird.duplicates},
          {"sessions", array_of(bird.sessions, session_json)}};
}

boost::json::object health_json(const HealthReport& health) {
  return {{"checks", health.checks},
          {"failing", health.failing},
          {"held", health.held},
          {"braking", health.braking}};
}

boost::json::object drain_json(const StatusReport& status) {
  return {{"all", status.host_drained}, {"marked", status.drain_marks}};
}

boost::json::object counters_json(const Counters& counters) {
  return {{"nat_transactions", counters.nat_transactions},
          {"nat_elements", counters.nat_elements},
          {"nat_refusals", counters.nat_refusals},
          {"route_changes", counters.route_changes},
          {"route_refusals", counters.route_refusals},
          {"repairs", counters.repairs},
          {"kernel_reads", counters.kernel_reads},
          {"connections_flushed", counters.connections_flushed},
          {"passes", counters.passes},
          {"longest_slice_ns", counters.longest_slice_ns}};
}

boost::json::object traffic_json(const Traffic& traffic) {
  return {{"in_packets", traffic.in_packets},
          {"in_bytes", traffic.in_bytes},
          {"out_packets", traffic.out_packets},
          {"out_bytes", traffic.out_bytes}};
}

boost::json::object guard_json(const GuardReport& guard) {
  return {{"packets", guard.packets}, {"bytes", guard.bytes}};
}

boost::json::object accounting_json(const AccountingReport& accounting) {
  boost::json::object json = traffic_json(accounting.total);
  json["counted"] = accounting.counted;
  return json;
}

boost::json::object counts_json(const std::array<std::size_t, kStates>& counts) {
  boost::json::object json;
  std::size_t total = 0;
  for (std::size_t i = 0; i < kStates; ++i) {
    json[to_string(static_cast<State>(i))] = counts[i];
    total += counts[i];
  }
  json["total"] = total;
  return json;
}

boost::json::object element_json(const PreviewReport::Element& element) {
  const bool both = element.added && element.removed;
  boost::json::object json{{"change", both            ? "change"
                                      : element.added ? "add"
                                                      : "delete"},
                           {"map", element.map},
                           {"key", element.key}};
  if (!element.before.empty()) json["before"] = element.before;
  if (!element.after.empty()) json["after"] = element.after;
  return json;
}

boost::json::object route_json(const PreviewReport::Route& route) {
  return {{"change", route.change},
          {"destination", route.destination.to_string()},
          {"interface", route.interface},
          {"metric", route.metric}};
}

}  // namespace

boost::json::object to_json(const PreviewReport& preview) {
  return {{"dry_run", true},
          {"elements", array_of(preview.elements, element_json)},
          {"routes", array_of(preview.routes, route_json)},
          {"elements_later", array_of(preview.elements_later, element_json)},
          {"commands", strings(preview.commands)},
          {"commands_later", strings(preview.commands_later)},
          {"notes", strings(preview.notes)}};
}

boost::json::object to_json(const FloatingIpReport& row) {
  boost::json::object json;
  if (!row.unread) {
    json = fipd::to_json(row.binding);
  } else if (!row.binding.floating.is_unspecified()) {
    json["floating"] = row.binding.floating.to_string();
  }
  if (!row.interface.empty()) json["interface"] = row.interface;
  json["source"] = row.source;
  json["state"] = to_string(row.state);
  json["reason"] = row.reason;
  json["announced"] = strings(row.announced);
  json["sessions"] = row.sessions.size();
  if (row.metric != 0) json["metric"] = row.metric;
  if (!row.also_announced_by.empty()) json["also_announced_by"] = strings(row.also_announced_by);
  if (row.traffic) json["traffic"] = traffic_json(*row.traffic);
  return json;
}

boost::json::object peers_json(const BirdReport& bird) {
  return {{"peers", array_of(bird.sessions, session_json)}};
}

boost::json::object to_json(const StatusReport& status) {
  boost::json::object json{{"version", status.version},
                           {"host", status.host},
                           {"started", rfc3339(status.started)},
                           {"healthy", status.problems.empty()},
                           {"problems", strings(status.problems)},
                           {"warnings", strings(status.warnings)},
                           {"floating_ips", counts_json(status.counts)},
                           {"sources", array_of(status.sources, source_json)},
                           {"bird", bird_json(status.bird)},
                           {"drain", drain_json(status)},
                           {"health_checks", health_json(status.health)},
                           {"counters", counters_json(status.counters)}};
  if (status.guard) json["guard"] = guard_json(*status.guard);
  if (status.accounting) json["accounting"] = accounting_json(*status.accounting);
  return json;
}

boost::json::object to_json(const DrainReport& report) {
  const auto session_of = [](const DrainReport::Session& session) {
    return boost::json::object{{"name", session.name}, {"undrained", session.undrained}};
  };
  boost::json::object json{{"all", report.host},
                           {"marked", report.marked},
                           {"floating_ips", report.floating_ips},
                           {"unwritten", report.unwritten},
                           {"sessions", array_of(report.sessions, session_of)},
                           {"complete", report.complete()},
                           {"problem", report.problem}};
  if (report.connections) json["connections"] = *report.connections;
  return json;
}

boost::json::object to_json(const Event& event) {
  boost::json::object json{{"time", rfc3339(event.time)}, {"kind", event.kind}};
  if (event.floating) json["floating"] = event.floating->to_string();
  json["text"] = event.text;
  if (event.traffic) json["traffic"] = traffic_json(*event.traffic);
  return json;
}

std::string error_body(std::string_view code, std::string_view message,
                       std::optional<IpAddress> floating) {
  boost::json::object error{{"code", code}, {"message", message}};
  if (floating) error["floating"] = floating->to_string();
  return boost::json::serialize(boost::json::object{{"error", std::move(error)}}) + "\n";
}

std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch - seconds);
  const time_t whole = seconds.count();
  tm utc{};
  gmtime_r(&whole, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     rest.count());
}

WireError wire_error(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadInput:
      return {400, "bad_input"};
    case ErrorCode::kNotFound:
      return {404, "not_found"};
    case ErrorCode::kConflict:
      return {409, "conflict"};
    case ErrorCode::kNotPermitted:
      return {403, "not_permitted"};
    case ErrorCode::kKernel:
      return {500, "kernel_refused"};
    case ErrorCode::kUnavailable:
      return {503, "unavailable"};
    case ErrorCode::kTimeout:
      return {504, "timeout"};
    case ErrorCode::kLimit:
      return {422, "limit"};
    case ErrorCode::kInternal:
      break;
  }
  return {500, "internal"};
}

}  // namespace fipd::control
