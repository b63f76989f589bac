#include "bgp/bird_routes.h"

#include <algorithm>
#include <utility>

#include "bgp/bird_words.h"

namespace fipd::bgp {
namespace {

using words::take_word;
using words::trimmed;
using words::value_of;

// "[AS64513i]" -> "64513".
std::string_view as_in(std::string_view word) {
  if (!word.starts_with("[AS")) return {};
  word.remove_prefix(3);
  std::size_t digits = 0;
  while (digits < word.size() && words::is_digit(word[digits])) ++digits;
  return word.substr(0, digits);
}

// "unicast [fipd_kernel4 2026-11-22 20:37:26.785] * (200) [AS64513i]". Nothing where it is no such
// text.
std::optional<BirdRoute> route_in(std::string_view text) {
  const std::size_t opening = text.find('[');
  if (opening == text.npos) return std::nullopt;
  text.remove_prefix(opening + 1);
  const std::size_t closing = text.find(']');
  if (closing == text.npos) return std::nullopt;
  std::string_view inside = text.substr(0, closing);
  text.remove_prefix(closing + 1);
  BirdRoute route;
  route.source = quotable(take_word(inside));
  if (route.source.empty()) return std::nullopt;
  while (!(text = trimmed(text)).empty()) {
    const std::string_view word = take_word(text);
    if (word == "*") route.best = true;
    if (word.starts_with('(')) {
      // "(200)", and "(100/20)" where there is a metric to the next hop.
      route.preference = words::number_at<std::uint32_t>(word.substr(1)).value_or(0);
    }
    if (const auto as = as_in(word); !as.empty()) route.origin_as = as;
  }
  return route;
}

}  // namespace

Result<RouteRows> RouteRows::in(const BirdReply& reply) {
  constexpr unsigned kNetworkNotFound = 8001;
  const RouteRows none{BirdReply::Lines({})};
  if (reply.code() == kNetworkNotFound) return none;
  if (reply.ok()) return RouteRows(reply.lines());
  const std::string_view said = reply.verdict();
  // A session that is down: 2.x, and 3.x.
  const bool down = said.starts_with("No valid tables") ||
                    said.find("accepting exports") != std::string_view::npos;
  if (down) return none;
  if (said.starts_with("syntax error")) {
    return fail(ErrorCode::kNotFound, "BIRD does not know the name: {}", quotable(said));
  }
  return refused(reply);
}

bool RouteRows::take(std::size_t lines, std::vector<BirdRoute>& into) {
  constexpr unsigned kRow = 1007;
  constexpr unsigned kType = 1008;
  constexpr unsigned kAttributes = 1012;
  for (; lines > 0; --lines) {
    const auto next = lines_.next();
    if (!next) {
      if (open_) into.push_back(std::move(*open_));
      open_.reset();
      return false;
    }
    if (next->code == kRow) line(next->text, into);
    if (next->code == kType || next->code == kAttributes) attribute(next->text);
  }
  return true;
}

void RouteRows::line(std::string_view text, std::vector<BirdRoute>& into) {
  const std::string_view all = text;
  const std::string_view word = take_word(text);
  if (word.empty()) return;
  if (word == "Table") {
    std::string_view name = trimmed(text);
    if (name.ends_with(':')) name.remove_suffix(1);
    table_ = quotable(name);
    prefix_.reset();
    return;
  }
  if (word == "via" || word == "dev") {
    if (open_ && word == "via") open_->via = quotable(take_word(text));
    return;
  }
  const bool names_prefix = word.find('/') != word.npos;
  if (names_prefix) {
    prefix_.reset();
    if (auto prefix = Prefix::parse(word)) prefix_ = *prefix;
  }
  // The second route of a prefix has blanks in its place.
  std::optional<BirdRoute> route = route_in(names_prefix ? text : all);
  if (!route) return;
  if (open_) into.push_back(std::move(*open_));
  open_.reset();
  if (!prefix_) return;
  open_ = std::move(route);
  open_->table = table_;
  open_->prefix = prefix_;
}

void RouteRows::attribute(std::string_view text) {
  if (!open_) return;
  const auto number = [text](std::string_view key, std::uint32_t& into) {
    if (const auto value = value_of(key, text)) {
      into = words::number_at<std::uint32_t>(*value).value_or(0);
    }
  };
  number("Kernel.source:", open_->kernel_source);
  number("Kernel.metric:", open_->kernel_metric);
  // 3.x words them so.
  number("krt_source:", open_->kernel_source);
  number("krt_metric:", open_->kernel_metric);
  for (const std::string_view key : {"BGP.next_hop:", "bgp_next_hop:"}) {
    if (const auto value = value_of(key, text)) {
      std::string_view first = *value;
      open_->next_hop = quotable(take_word(first));
    }
  }
  for (const std::string_view key : {"BGP.originator_id:", "bgp_originator_id:"}) {
    if (const auto value = value_of(key, text)) open_->originator = quotable(*value);
  }
}

Result<std::vector<BirdRoute>> parse_routes(const BirdReply& reply) {
  constexpr std::size_t kSlice = 1000;
  Result<RouteRows> rows = RouteRows::in(reply);
  if (!rows) return fail(std::move(rows).error());
  std::vector<BirdRoute> routes;
  while (rows->take(kSlice, routes)) {
  }
  return routes;
}

}  // namespace fipd::bgp
