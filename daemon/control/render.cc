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

boost::json::value source_json(const SourceReport& source) {
  boost::json::object json;
  json["name"] = source.name;
  json["complete"] = source.complete;
  json["claims"] = source.claims;
  json["held"] = source.held;
  json["problems"] = strings(source.problems);
  return json;
}

boost::json::value session_json(const SessionReport& session) {
  boost::json::object json;
  json["name"] = session.name;
  json["state"] = session.state;
  json["info"] = session.info;
  json["since"] = session.since;
  json["neighbor"] = session.neighbor;
  json["neighbor_as"] = session.neighbor_as;
  json["last_error"] = session.last_error;
  json["established"] = session.established;
  json["carries"] = session.carries;
  json["exported"] = session.exported;
  return json;
}

boost::json::value kernel_protocol_json(const KernelProtocolReport& protocol) {
  boost::json::object json;
  json["name"] = protocol.name;
  json["state"] = protocol.state;
  return json;
}

boost::json::object bird_json(const BirdReport& bird) {
  boost::json::object json;
  json["enabled"] = bird.enabled;
  json["connected"] = bird.connected;
  json["version"] = bird.version;
  json["problem"] = bird.problem;
  json["problems"] = strings(bird.problems);
  json["kernel_protocols"] = array_of(bird.kernel_protocols, kernel_protocol_json);
  json["duplicates"] = bird.duplicates;
  json["sessions"] = array_of(bird.sessions, session_json);
  return json;
}

boost::json::object health_json(const HealthReport& health) {
  boost::json::object json;
  json["checks"] = health.checks;
  json["failing"] = health.failing;
  json["held"] = health.held;
  json["braking"] = health.braking;
  return json;
}

boost::json::object drain_json(const StatusReport& status) {
  boost::json::object json;
  json["all"] = status.host_drained;
  json["marked"] = status.drain_marks;
  return json;
}

boost::json::object counters_json(const Counters& counters) {
  boost::json::object json;
  json["nat_transactions"] = counters.nat_transactions;
  json["nat_elements"] = counters.nat_elements;
  json["nat_refusals"] = counters.nat_refusals;
  json["route_changes"] = counters.route_changes;
  json["route_refusals"] = counters.route_refusals;
  json["repairs"] = counters.repairs;
  json["kernel_reads"] = counters.kernel_reads;
  json["connections_flushed"] = counters.connections_flushed;
  json["passes"] = counters.passes;
  json["longest_slice_ns"] = counters.longest_slice_ns;
  return json;
}

boost::json::object traffic_json(const Traffic& traffic) {
  boost::json::object json;
  json["in_packets"] = traffic.in_packets;
  json["in_bytes"] = traffic.in_bytes;
  json["out_packets"] = traffic.out_packets;
  json["out_bytes"] = traffic.out_bytes;
  return json;
}

boost::json::object guard_json(const GuardReport& guard) {
  boost::json::object json;
  json["packets"] = guard.packets;
  json["bytes"] = guard.bytes;
  return json;
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

boost::json::value element_json(const PreviewReport::Element& element) {
  boost::json::object json;
  const bool both = element.added && element.removed;
  json["change"] = both ? "change" : element.added ? "add" : "delete";
  json["map"] = element.map;
  json["key"] = element.key;
  if (!element.before.empty()) json["before"] = element.before;
  if (!element.after.empty()) json["after"] = element.after;
  return json;
}

boost::json::value route_json(const PreviewReport::Route& route) {
  boost::json::object json;
  json["change"] = route.change;
  json["destination"] = route.destination.to_string();
  json["interface"] = route.interface;
  json["metric"] = route.metric;
  return json;
}

}  // namespace

boost::json::object to_json(const PreviewReport& preview) {
  boost::json::object json;
  json["dry_run"] = true;
  json["elements"] = array_of(preview.elements, element_json);
  json["routes"] = array_of(preview.routes, route_json);
  json["elements_later"] = array_of(preview.elements_later, element_json);
  json["commands"] = strings(preview.commands);
  json["commands_later"] = strings(preview.commands_later);
  json["notes"] = strings(preview.notes);
  return json;
}

boost::json::object to_json(const FloatingIpReport& row) {
  boost::json::object json = fipd::to_json(row.binding);
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
  boost::json::object json;
  json["peers"] = array_of(bird.sessions, session_json);
  return json;
}

boost::json::object to_json(const StatusReport& status) {
  boost::json::object json;
  json["version"] = status.version;
  json["host"] = status.host;
  json["started"] = rfc3339(status.started);
  json["healthy"] = status.problems.empty();
  json["problems"] = strings(status.problems);
  json["warnings"] = strings(status.warnings);
  json["floating_ips"] = counts_json(status.counts);
  json["sources"] = array_of(status.sources, source_json);
  json["bird"] = bird_json(status.bird);
  json["drain"] = drain_json(status);
  json["health_checks"] = health_json(status.health);
  json["counters"] = counters_json(status.counters);
  if (status.guard) json["guard"] = guard_json(*status.guard);
  if (status.accounting) json["accounting"] = accounting_json(*status.accounting);
  return json;
}

boost::json::object to_json(const DrainReport& report) {
  boost::json::object json;
  json["all"] = report.host;
  json["marked"] = report.marked;
  json["floating_ips"] = report.floating_ips;
  json["unwritten"] = report.unwritten;
  json["sessions"] = array_of(report.sessions, [](const DrainReport::Session& session) {
    boost::json::object entry;
    entry["name"] = session.name;
    entry["undrained"] = session.undrained;
    return boost::json::value(std::move(entry));
  });
  json["complete"] = report.complete();
  json["problem"] = report.problem;
  if (report.connections) json["connections"] = *report.connections;
  return json;
}

boost::json::object to_json(const Event& event) {
  boost::json::object json;
  json["time"] = rfc3339(event.time);
  json["kind"] = event.kind;
  if (event.floating) json["floating"] = event.floating->to_string();
  json["text"] = event.text;
  if (event.traffic) json["traffic"] = traffic_json(*event.traffic);
  return json;
}

std::string error_body(std::string_view code, std::string_view message,
                       std::optional<IpAddress> floating) {
  boost::json::object error;
  error["code"] = code;
  error["message"] = message;
  if (floating) error["floating"] = floating->to_string();
  boost::json::object body;
  body["error"] = std::move(error);
  return boost::json::serialize(body) + "\n";
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
