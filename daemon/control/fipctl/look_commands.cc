#include <cstdio>

#include <boost/json/serialize.hpp>

#include "daemon/base/address.h"
#include "daemon/control/fipctl/amount.h"
#include "daemon/control/fipctl/binding_words.h"
#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/control/fipctl/table.h"

namespace fipd::fipctl {
namespace {

using Row = std::vector<Cell>;

std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }

// "files:/etc/fipd/floating-ips.d/a.toml" is too long for a narrow table.
std::string short_source(const std::string& source) { return source.substr(0, source.find(':')); }

// A word that cannot be taken may name no floating IP; then its key or its file does: "(a.toml)".
std::string floating_of(const boost::json::value& row) {
  std::string floating = text_of(row, "floating");
  if (!floating.empty()) return floating;
  const std::string source = text_of(row, "source");
  std::string name = source.substr(source.find(':') + 1);
  if (name.starts_with('/')) name = name.substr(name.rfind('/') + 1);
  return fmt::format("({})", name);
}

std::string announced_of(const boost::json::value& row) {
  const std::int64_t sessions = number_of(row, "sessions");
  const std::size_t announced = list_of(row, "announced").size();
  return sessions == 0 && announced == 0 ? "-" : fmt::format("{}/{}", announced, sessions);
}

Row heads(bool wide) {
  Row row = {{"FLOATING"}, {"FIXED"}, {"INTERFACE"}, {"STATE"}, {"ANNOUNCED"}, {"SOURCE"}};
  if (wide) row.insert(row.end(), {{"METRIC"}, {"ID"}, {"PORT"}, {"LIMITS"}, {"IN"}, {"OUT"}});
  row.push_back({"REASON"});
  return row;
}

Row row_of(const boost::json::value& json, bool wide) {
  const std::string state = text_of(json, "state");
  const std::string source = text_of(json, "source");
  const std::int64_t metric = number_of(json, "metric");
  Row row = {{floating_of(json)},
             {or_dash(target_of(json, wide ? 3 : 1))},
             {or_dash(text_of(json, "interface"))},
             {state, tint_of_state(state)},
             {announced_of(json)},
             {wide ? source : short_source(source)}};
  if (wide) {
    row.push_back({metric == 0 ? "-" : fmt::format("{}", metric)});
    row.push_back({or_dash(text_of(json, "id"))});
    row.push_back({or_dash(text_of(json, "port"))});
    row.push_back({or_dash(limits_of(json))});
    const boost::json::value* traffic = field_of(json, "traffic");
    row.push_back({traffic == nullptr ? "-" : brief_amount_of(*traffic, "in")});
    row.push_back({traffic == nullptr ? "-" : brief_amount_of(*traffic, "out")});
  }
  row.push_back({text_of(json, "reason")});
  return row;
}

boost::json::array chosen(const boost::json::array& rows, const std::string& state) {
  boost::json::array some;
  for (const boost::json::value& row : rows) {
    if (state.empty() || text_of(row, "state") == state) some.push_back(row);
  }
  return some;
}

void print_json_rows(const boost::json::array& rows) {
  fmt::print("{{\"floating_ips\": [");
  const char* separator = "\n";
  for (const boost::json::value& row : rows) {
    fmt::print("{}{}", separator, boost::json::serialize(row));
    separator = ",\n";
  }
  fmt::print("\n]}}\n");
}

std::string joined(const boost::json::array& texts) {
  std::string all;
  for (const boost::json::value& text : texts) {
    if (!all.empty()) all += ", ";
    if (text.is_string()) all += std::string_view(text.get_string());
  }
  return all;
}

void print_details(const boost::json::value& row, bool color) {
  const std::string state = text_of(row, "state");
  std::vector<Row> rows = {{{"floating IP"}, {text_of(row, "floating")}}};
  for (const boost::json::value& forward : list_of(row, "forwards")) {
    if (forward.is_string()) rows.push_back({{"forward"}, {std::string(forward.get_string())}});
  }
  if (rows.size() == 1) rows.push_back({{"fixed IP"}, {or_dash(text_of(row, "fixed"))}});
  rows.insert(rows.end(), {{{"interface"}, {or_dash(text_of(row, "interface"))}},
                           {{"state"}, {state, tint_of_state(state)}},
                           {{"reason"}, {or_dash(text_of(row, "reason"))}},
                           {{"announced"}, {or_dash(joined(list_of(row, "announced")))}},
                           {{"sessions"}, {fmt::format("{}", number_of(row, "sessions"))}},
                           {{"source"}, {text_of(row, "source")}}});
  const auto add_if_given = [&](const char* name, std::string value) {
    if (!value.empty()) rows.push_back({{name}, {std::move(value)}});
  };
  const std::int64_t metric = number_of(row, "metric");
  if (metric != 0) add_if_given("metric", fmt::format("{}", metric));
  add_if_given("also by", joined(list_of(row, "also_announced_by")));
  add_if_given("id", text_of(row, "id"));
  add_if_given("port", text_of(row, "port"));
  if (flag_of(row, "primary")) add_if_given("primary", "yes");
  add_if_given("limits", limits_of(row));
  if (const boost::json::value* traffic = field_of(row, "traffic")) {
    add_if_given("traffic in", amount_of(*traffic, "in"));
    add_if_given("traffic out", amount_of(*traffic, "out"));
  }
  fmt::print("{}", render_table(rows, color));
}

}  // namespace

Verdict list(const Context& context, const LsOptions& options) {
  Request request;
  request.target = options.wide ? "/v1/floating-ips?counters=true" : "/v1/floating-ips";
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  const boost::json::array rows = chosen(list_of(*answer, "floating_ips"), options.state);
  if (context.json) {
    print_json_rows(rows);
    return {};
  }
  if (options.quiet) {
    for (const boost::json::value& row : rows) {
      if (field_of(row, "floating") != nullptr) fmt::print("{}\n", text_of(row, "floating"));
    }
    return {};
  }
  std::vector<Row> table = {heads(options.wide)};
  table.reserve(rows.size() + 1);
  for (const boost::json::value& row : rows) table.push_back(row_of(row, options.wide));
  fmt::print("{}", render_table(table, context.color));
  return {};
}

Verdict show(const Context& context, const std::string& address) {
  const auto floating = parse_address(address);
  if (!floating) return failure_of(floating.error());
  Request request;
  request.target = fmt::format("/v1/floating-ips/{}", *floating);
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
    return {};
  }
  print_details(*answer, context.color);
  for (const boost::json::value& loser : list_of(*answer, "conflicts")) {
    fmt::print("\nclaimed as well, and not in force:\n");
    print_details(loser, context.color);
  }
  return {};
}

}  // namespace fipd::fipctl
