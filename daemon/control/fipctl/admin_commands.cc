#include <cstdio>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/control/fipctl/table.h"

namespace fipd::fipctl {
namespace {

void print_event(std::string_view line, bool color) {
  boost::system::error_code problem;
  const boost::json::value event = boost::json::parse({line.data(), line.size()}, problem);
  if (problem) return;
  std::string floating = text_of(event, "floating");
  if (floating.empty()) floating = "-";
  const std::string when = tinted(text_of(event, "time"), Tint::kDim, color);
  const std::vector<std::vector<Cell>> row = {{{text_of(event, "text")}}};
  fmt::print("{}  {:<9}  {:<15}  {}", when, text_of(event, "kind"), floating,
             render_table(row, false));
}

std::string percent_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    encoded += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace

Verdict monitor(const Context& context) {
  Request request;
  request.target = "/v1/events";
  const auto show_line = [&context](std::string_view line) {
    if (context.json) {
      fmt::print("{}\n", line);
    } else {
      print_event(line, context.color);
    }
    std::fflush(stdout);
  };
  return context.client.follow(request, show_line);
}

Verdict reload(const Context& context) {
  Request request;
  request.method = "POST";
  request.target = "/v1/reload";
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
    return {};
  }
  fmt::print("reloaded\n");
  for (const boost::json::value& name : list_of(*answer, "needs_restart")) {
    if (!name.is_string()) continue;
    fmt::print("needs a restart: {}\n", std::string_view(name.get_string()));
  }
  return {};
}

Verdict accept(const Context& context, const std::string& source) {
  Request request;
  request.method = "POST";
  request.target = "/v1/accept";
  if (!source.empty()) request.target += "?source=" + percent_encoded(source);
  const auto answer = context.client.call(request);
  if (!answer) return answer.error();
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(*answer));
    return {};
  }
  fmt::print("carried out {} held removals\n", number_of(*answer, "accepted"));
  return {};
}

}  // namespace fipd::fipctl
