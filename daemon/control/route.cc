#include "daemon/control/route.h"

#include <array>
#include <charconv>
#include <span>

namespace fipd::control {
namespace {

using MaybeRoute = tl::expected<Route, RouteError>;

struct Verb {
  std::string_view method;
  Endpoint endpoint;
};
struct Resource {
  std::string_view path;  // one that ends in a slash takes an address after it,
  std::array<Verb, 3> verbs;
  std::string_view rest = {};  // and this
};

constexpr std::array<Resource, 11> kResources = {{
    {"/v1/status", {{{"GET", Endpoint::kStatus}}}},
    {"/v1/peers", {{{"GET", Endpoint::kPeers}}}},
    {"/v1/floating-ips", {{{"GET", Endpoint::kList}, {"POST", Endpoint::kBatch}}}},
    {"/v1/floating-ips/",
     {{{"GET", Endpoint::kShow}, {"PUT", Endpoint::kPut}, {"DELETE", Endpoint::kDelete}}}},
    {"/v1/floating-ips/", {{{"POST", Endpoint::kForwards}}}, "/forwards"},
    {"/v1/events", {{{"GET", Endpoint::kEvents}}}},
    {"/v1/reload", {{{"POST", Endpoint::kReload}}}},
    {"/v1/accept", {{{"POST", Endpoint::kAccept}}}},
    {"/v1/drain", {{{"GET", Endpoint::kDrainReport}, {"POST", Endpoint::kDrain}}}},
    {"/v1/undrain", {{{"POST", Endpoint::kUndrain}}}},
    {"/metrics", {{{"GET", Endpoint::kMetrics}}}},
}};

template <typename... Args>
tl::unexpected<RouteError> bad_input(fmt::format_string<Args...> format, Args&&... args) {
  RouteError error;
  error.status = 400;
  error.code = "bad_input";
  error.message = fmt::format(format, std::forward<Args>(args)...);
  return tl::unexpected<RouteError>(std::move(error));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

// A foreign text for an error message: short, and printable as it is.
std::string shown(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string safe(text.substr(0, kMost));
  for (char& c : safe) {
    if (c < ' ' || c > '~' || c == '"') c = '?';
  }
  if (text.size() > kMost) safe += "...";
  return safe;
}

std::string allowed_methods(const Resource& resource) {
  std::string allow = "OPTIONS";
  for (const Verb& verb : resource.verbs) {
    if (verb.method.empty()) continue;
    allow += fmt::format(", {}", verb.method);
    if (verb.method == "GET") allow += ", HEAD";
  }
  return allow;
}

struct Found {
  const Resource* resource = nullptr;  // null: there is none
  std::string_view address;            // as written; empty where it takes none
};

Found resource_of(std::string_view path) {
  for (const Resource& resource : kResources) {
    if (resource.path.back() != '/') {
      if (path == resource.path) return {&resource, {}};
      continue;
    }
    if (!path.starts_with(resource.path)) continue;
    std::string_view address = path.substr(resource.path.size());
    if (!address.ends_with(resource.rest)) continue;
    address.remove_suffix(resource.rest.size());
    if (!address.empty() && address.find('/') == address.npos) return {&resource, address};
  }
  return {};
}

MaybeRoute route_of(std::string_view method, const Resource& resource) {
  Route route;
  if (method == "OPTIONS") {
    route.endpoint = Endpoint::kOptions;
    route.allow = allowed_methods(resource);
    return route;
  }
  route.head = method == "HEAD";
  const std::string_view wanted = route.head ? "GET" : method;
  for (const Verb& verb : resource.verbs) {
    if (verb.method.empty() || verb.method != wanted) continue;
    route.endpoint = verb.endpoint;
    return route;
  }
  RouteError error;
  error.status = 405;
  error.code = "method_not_allowed";
  error.allow = allowed_methods(resource);
  error.message = fmt::format("{} is not possible here; possible: {}", shown(method), error.allow);
  return tl::unexpected<RouteError>(std::move(error));
}

std::optional<WaitFor> wait_for(std::string_view text) {
  if (text == "translated") return WaitFor::kTranslated;
  if (text == "routed") return WaitFor::kRouted;
  if (text == "announced") return WaitFor::kAnnounced;
  return std::nullopt;
}

bool waits(Endpoint endpoint) {
  return endpoint == Endpoint::kPut || endpoint == Endpoint::kDelete ||
         endpoint == Endpoint::kBatch || endpoint == Endpoint::kForwards;
}

tl::expected<void, RouteError> take_flag(std::string_view name, std::string_view value, bool& out) {
  if (value != "true" && value != "false") {
    return bad_input("{}={}: write true or false", name, shown(value));
  }
  out = value == "true";
  return {};
}

tl::expected<void, RouteError> take_parameter(Route& route, std::string_view name,
                                              const std::string& value) {
  if (name == "wait" && waits(route.endpoint)) {
    route.wait = wait_for(value);
    if (route.wait) return {};
    return bad_input("wait={}: write translated, routed or announced", shown(value));
  }
  if (name == "timeout" && waits(route.endpoint)) {
    const auto timeout = parse_timeout(value);
    if (!timeout) return bad_input("timeout={}", timeout.error().message());
    route.timeout = *timeout;
    return {};
  }
  if (name == "dry_run" && waits(route.endpoint)) return take_flag(name, value, route.dry_run);
  if (name == "replace" && waits(route.endpoint) && route.endpoint != Endpoint::kDelete) {
    return take_flag(name, value, route.replace.emplace());
  }
  if (name == "counters" && route.endpoint == Endpoint::kList) {
    return take_flag(name, value, route.counters);
  }
  if (name == "connections" && route.endpoint == Endpoint::kDrainReport) {
    if (value != "true" && value != "false") {
      return bad_input("connections={}: write true or false", shown(value));
    }
    route.connections = value == "true";
    return {};
  }
  if (name == "source" && route.endpoint == Endpoint::kAccept) {
    if (shown(value) != value) return bad_input("source={}: no source has that name", shown(value));
    route.source = value;
    return {};
  }
  return bad_input("the query parameter \"{}\" means nothing here", shown(name));
}

tl::expected<void, RouteError> take_query(Route& route, std::string_view query) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == query.npos ? std::string_view() : query.substr(end + 1);
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view raw = equals == pair.npos ? std::string_view() : pair.substr(equals + 1);
    const auto value = percent_decoded(raw);
    if (!value) return bad_input("\"{}\" is not a percent-encoded query", shown(pair));
    auto taken = take_parameter(route, pair.substr(0, equals), *value);
    if (!taken) return taken;
  }
  return {};
}

// "http://fipd/v1/status" is the absolute form that a server has to take as well.
std::string_view origin_form(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return target;
  const std::size_t path = target.find('/', kScheme.size());
  return path == target.npos ? "/" : target.substr(path);
}

}  // namespace

tl::expected<Route, RouteError> parse_route(std::string_view method, std::string_view target) {
  target = origin_form(target);
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const auto [resource, address_text] = resource_of(path);
  if (resource == nullptr) {
    RouteError error;
    error.message =
        fmt::format("there is no {} here; the paths are in docs/openapi.yaml", shown(path));
    return tl::unexpected<RouteError>(std::move(error));
  }
  auto route = route_of(method, *resource);
  if (!route) return route;
  if (route->endpoint == Endpoint::kOptions) return route;
  if (!address_text.empty()) {
    const auto text = percent_decoded(address_text);
    if (!text) return bad_input("\"{}\" is not a percent-encoded path", shown(path));
    const auto address = parse_address(shown(*text));
    if (!address) return bad_input("{}", address.error().message());
    route->floating = *address;
  }
  if (mark != target.npos) {
    auto taken = take_query(*route, target.substr(mark + 1));
    if (!taken) return tl::unexpected<RouteError>(std::move(taken.error()));
  }
  if (route->dry_run && route->wait) {
    return bad_input("wait and dry_run: there is nothing to wait for, write one of them");
  }
  return route;
}

bool changes(Endpoint endpoint) {
  return waits(endpoint) || endpoint == Endpoint::kReload || endpoint == Endpoint::kAccept ||
         endpoint == Endpoint::kDrain || endpoint == Endpoint::kUndrain;
}

Result<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [unit_at, problem] = std::from_chars(text.data(), end, number);
  const std::string_view unit(unit_at, static_cast<std::size_t>(end - unit_at));
  std::uint64_t milliseconds = 0;
  if (problem == std::errc{}) {
    if (unit == "ms") milliseconds = number;
    if (unit == "s" || unit.empty()) milliseconds = std::uint64_t{number} * 1000;
    if (unit == "m") milliseconds = std::uint64_t{number} * 60000;
  }
  if (milliseconds == 0 || milliseconds > static_cast<std::uint64_t>(kLongestWait.count())) {
    return fail(ErrorCode::kBadInput, "\"{}\": write a time like 5s, 500ms or 2m, at most 10m",
                shown(text));
  }
  return std::chrono::milliseconds(milliseconds);
}

}  // namespace fipd::control
