#include <cstdio>

#include <boost/json/serialize.hpp>

#include "daemon/control/fipctl/amount.h"
#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/control/fipctl/table.h"

namespace fipd::fipctl {
namespace {

using Row = std::vector<Cell>;

std::string counts_of(const boost::json::value& status) {
  const boost::json::value* counts = field_of(status, "floating_ips");
  if (counts == nullptr || !counts->is_object()) return "-";
  std::string text = fmt::format("{}", number_of(*counts, "total"));
  const char* separator = ": ";
  for (const auto& [state, count] : counts->get_object()) {
    if (state == "total" || !count.is_int64() || count.get_int64() == 0) continue;
    text += fmt::format("{}{} {}", separator, count.get_int64(), std::string_view(state));
    separator = ", ";
  }
  return text;
}

Row source_row(const boost::json::value& source) {
  std::string text =
      fmt::format("{}: {} claims", text_of(source, "name"), number_of(source, "claims"));
  if (!flag_of(source, "complete")) text += ", not complete yet";
  const std::int64_t held = number_of(source, "held");
  if (held > 0) text += fmt::format(", {} removals held: fipctl accept", held);
  const bool in_order = flag_of(source, "complete") && held == 0;
  return {{"source"}, {text, in_order ? Tint::kNone : Tint::kYellow}};
}

Row bird_row(const boost::json::value& bird) {
  if (!flag_of(bird, "enabled")) return {{"BIRD"}, {"not used"}};
  if (flag_of(bird, "connected")) {
    std::string text = text_of(bird, "version");
    for (const boost::json::value& each : list_of(bird, "kernel_protocols")) {
      text += fmt::format(", {} {}", text_of(each, "name"), text_of(each, "state"));
    }
    return {{"BIRD"}, {std::move(text), Tint::kGreen}};
  }
  const std::string problem = text_of(bird, "problem");
  return {{"BIRD"}, {problem.empty() ? "not connected" : problem, Tint::kRed}};
}

Row session_row(const boost::json::value& session) {
  const bool carries = flag_of(session, "carries");
  const Tint tint = flag_of(session, "established") ? Tint::kGreen : Tint::kRed;
  std::string text =
      fmt::format("{}: {} {} since {}", text_of(session, "name"), text_of(session, "state"),
                  text_of(session, "info"), text_of(session, "since"));
  text +=
      carries ? fmt::format(", has {}", number_of(session, "exported")) : ", takes no floating IPs";
  return {{"session"}, {std::move(text), carries ? tint : Tint::kNone}};
}

std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }

Row peer_row(const boost::json::value& peer) {
  const bool carries = flag_of(peer, "carries");
  const Tint tint = flag_of(peer, "established") ? Tint::kGreen : Tint::kRed;
  const std::string as = text_of(peer, "neighbor_as");
  return {{text_of(peer, "name")},
          {or_dash(text_of(peer, "neighbor"))},
          {or_dash(as)},
          {text_of(peer, "info"), carries ? tint : Tint::kNone},
          {or_dash(text_of(peer, "since"))},
          {carries ? fmt::format("{}", number_of(peer, "exported")) : "-"},
          {text_of(peer, "last_error")}};
}

void add_drain(const boost::json::value& drain, std::vector<Row>& rows) {
  const std::int64_t marked = number_of(drain, "marked");
  if (flag_of(drain, "all")) rows.push_back({{"drain"}, {"the whole host", Tint::kYellow}});
  if (marked == 0) return;
  rows.push_back({{"drain"}, {fmt::format("{} address(es) by name", marked), Tint::kYellow}});
}

void add_checks(const boost::json::value& checks, std::vector<Row>& rows) {
  const std::int64_t count = number_of(checks, "checks");
  if (count == 0) return;
  const std::int64_t failing = number_of(checks, "failing");
  rows.push_back({{"checks"},
                  {fmt::format("{}, {} failing", count, failing),
                   failing > 0 ? Tint::kYellow : Tint::kGreen}});
}

void add_traffic(const boost::json::value& status, std::vector<Row>& rows) {
  if (const boost::json::value* guard = field_of(status, "guard")) {
    const std::int64_t packets = number_of(*guard, "packets");
    rows.push_back({{"guard"}, {fmt::format("{} untranslated packets dropped", packets)}});
  }
  if (const boost::json::value* accounting = field_of(status, "accounting")) {
    rows.push_back(
        {{"traffic"},
         {fmt::format("{} in, {} out, of {} floating IPs", amount_of(*accounting, "in"),
                      amount_of(*accounting, "out"), number_of(*accounting, "counted"))}});
  }
}

std::string render(const boost::json::value& status, bool color) {
  const bool healthy = flag_of(status, "healthy");
  std::vector<Row> rows = {
      {{"fipd"}, {fmt::format("{} on {}", text_of(status, "version"), text_of(status, "host"))}},
      {{"health"}, {healthy ? "in order" : "degraded", healthy ? Tint::kGreen : Tint::kRed}},
      {{"started"}, {text_of(status, "started")}},
      {{"floating IPs"}, {counts_of(status)}}};
  for (const boost::json::value& source : list_of(status, "sources")) {
    rows.push_back(source_row(source));
    for (const boost::json::value& problem : list_of(source, "problems")) {
      if (problem.is_string()) {
        rows.push_back({{""}, {std::string(problem.get_string()), Tint::kRed}});
      }
    }
  }
  if (const boost::json::value* bird = field_of(status, "bird")) {
    rows.push_back(bird_row(*bird));
    for (const auto& session : list_of(*bird, "sessions")) rows.push_back(session_row(session));
  }
  if (const boost::json::value* drain = field_of(status, "drain")) add_drain(*drain, rows);
  if (const boost::json::value* checks = field_of(status, "health_checks")) {
    add_checks(*checks, rows);
  }
  add_traffic(status, rows);
  for (const boost::json::value& problem : list_of(status, "problems")) {
    if (!problem.is_string()) continue;
    rows.push_back({{"problem"}, {std::string(problem.get_string()), Tint::kRed}});
  }
  for (const boost::json::value& warning : list_of(status, "warnings")) {
    if (!warning.is_string()) continue;
    rows.push_back({{"warning"}, {std::string(warning.get_string()), Tint::kYellow}});
  }
  return render_table(rows, color);
}

}  // namespace

Verdict peers(const Context& context) {
  Request request;
  request.target = "/v1/peers";
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
    return {};
  }
  std::vector<Row> rows = {
      {{"SESSION"}, {"NEIGHBOR"}, {"AS"}, {"STATE"}, {"SINCE"}, {"EXPORTED"}, {"LAST ERROR"}}};
  for (const boost::json::value& peer : list_of(*answer, "peers")) rows.push_back(peer_row(peer));
  fmt::print("{}", render_table(rows, context.color));
  return {};
}

Verdict status(const Context& context) {
  Request request;
  request.target = "/v1/status";
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
  } else {
    fmt::print("{}", render(*answer, context.color));
  }
  if (flag_of(*answer, "healthy")) return {};
  return Failure{ExitCode::kDegraded, ""};  // the answer itself has said why
}

}  // namespace fipd::fipctl
