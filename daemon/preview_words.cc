#include "daemon/preview_words.h"

#include "nat/ruleset.h"

namespace fipd {
namespace {

std::string key_of(const nat::ElementChange& change) {
  return nat::to_string({change.map, change.key, std::monostate()});
}

// "10.65.0.13" of "172.16.1.3 : 10.65.0.13".
std::string value_of(const nat::ElementChange& change, const std::optional<nat::Value>& value) {
  if (!value) return "";
  std::string text = nat::to_string({change.map, change.key, *value}).substr(key_of(change).size());
  text.erase(0, text.find_first_not_of(" :"));
  return text;
}

PreviewReport::Element element_of(const nat::ElementChange& change) {
  PreviewReport::Element element;
  element.map = nat::map_name(change.map, family_of(change.key.address));
  element.key = key_of(change);
  element.added = change.after.has_value();
  element.removed = change.before.has_value();
  element.before = value_of(change, change.before);
  element.after = value_of(change, change.after);
  return element;
}

void add_commands(const nat::ElementChange& change, const PreviewNames& names,
                  std::vector<std::string>& out) {
  const std::string map = nat::map_name(change.map, family_of(change.key.address));
  if (change.before) {
    out.push_back(fmt::format("nft delete element inet {} {} {{ {} }}", names.nft_table, map,
                              key_of(change)));
  }
  if (change.after) {
    out.push_back(fmt::format("nft add element inet {} {} {{ {} }}", names.nft_table, map,
                              nat::to_string({change.map, change.key, *change.after})));
  }
}

std::string_view word_of(bgp::RouteAction action) {
  if (action == bgp::RouteAction::kAdd) return "add";
  return action == bgp::RouteAction::kReplace ? "replace" : "delete";
}

PreviewReport::Route route_of(const bgp::RouteChange& change, const PreviewNames& names) {
  PreviewReport::Route route;
  route.change = word_of(change.action);
  route.destination = change.route.destination;
  route.interface = names.interface(change.route.interface);
  route.metric = change.route.metric;
  return route;
}

std::string command_of(const bgp::RouteChange& change, const PreviewNames& names) {
  const bgp::HostRoute& route = change.route;
  const bool is_v6 = route.destination.is_v6();
  // A realm is not among what says which route is removed.
  const bool with_realm = route.realm != 0 && change.action != bgp::RouteAction::kRemove;
  return fmt::format("ip {}route {} {} dev {} table {} proto {} metric {}{}{}", is_v6 ? "-6 " : "",
                     word_of(change.action), route.destination, names.interface(route.interface),
                     names.route_table, names.route_protocol, route.metric,
                     is_v6 ? "" : " scope link",
                     with_realm ? fmt::format(" realm {}", route.realm) : "");
}

}  // namespace

PreviewReport in_words(const Preview& preview, const PreviewNames& names) {
  PreviewReport report;
  if (preview.needs_forwards) report.notes.emplace_back("the rules of forwards are written first");
  if (preview.needs_limits) report.notes.emplace_back("the rules of limits are written first");
  for (const Preview::Note& note : preview.refused) {
    report.notes.push_back(fmt::format("{} is refused: {}", note.floating, note.text));
  }
  for (const Preview::Note& note : preview.waiting) {
    report.notes.push_back(fmt::format("{} waits: {}", note.floating, note.text));
  }
  for (const nat::ElementChange& change : preview.elements) {
    report.elements.push_back(element_of(change));
    add_commands(change, names, report.commands);
  }
  for (const bgp::RouteChange& change : preview.routes) {
    report.routes.push_back(route_of(change, names));
    report.commands.push_back(command_of(change, names));
  }
  for (const nat::ElementChange& change : preview.elements_later) {
    report.elements_later.push_back(element_of(change));
    add_commands(change, names, report.commands_later);
  }
  return report;
}

}  // namespace fipd
