#include "daemon/sources/etcd/calico_endpoint.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/sources/etcd/calico_migration.h"
#include "daemon/sources/etcd/etcd_value.h"
#include "daemon/state/document.h"
#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

namespace json = boost::json;

constexpr std::string_view kEndpoints = "/calico/resources/v3/projectcalico.org/workloadendpoints/";
constexpr std::string_view kMigrations = "/calico/resources/v3/projectcalico.org/livemigrations/";

struct Name {
  std::string device;
  std::string port;
};

// What follows the host and the orchestrator in a key.
Result<Name> name_of(std::string_view text) {
  Name name;
  std::string* part = &name.device;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '-' && (i + 1 == text.size() || text[i + 1] != '-')) {
      part = part == &name.device ? &name.port : nullptr;
      if (part == nullptr) break;
      continue;
    }
    if (text[i] == '-') ++i;
    *part += text[i];
  }
  if (part == nullptr || name.device.empty() || name.port.empty()) {
    return fail(ErrorCode::kBadInput, "the key's end is not <device>-<port>, each '-' doubled");
  }
  // Both stand whole in the origin.
  for (const std::string& each : {name.device, name.port}) {
    if (each.size() <= kMaxOpaqueText && !has_control_characters(each)) continue;
    return fail(ErrorCode::kBadInput, "'{}' is longer than {} bytes or has control characters",
                printable(each), kMaxOpaqueText);
  }
  return name;
}

// An array that may be missing, or null.
Result<json::array> array_of(const json::object& spec, std::string_view name) {
  const json::value* value = spec.if_contains(name);
  if (value == nullptr || value->is_null()) return json::array();
  const json::array* array = value->if_array();
  if (array == nullptr) return fail(ErrorCode::kBadInput, "spec.{} is no array", name);
  return *array;
}

Result<std::string> text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_null() ? std::string() : text_of(object, name);
}

Result<IpAddress> address_in(const json::object& nat, std::string_view name) {
  const Result<std::string> text = text_in(nat, name);
  if (!text) return fail(text.error());
  if (text->empty()) return fail(ErrorCode::kBadInput, "{} is missing", name);
  Result<IpAddress> address = parse_address(*text);
  if (!address) {
    return fail(ErrorCode::kBadInput, "{} '{}' is not an IP address", name, printable(*text));
  }
  return address;
}

std::string origin_of(const Name& name) {
  return fmt::format("calico:{}/{}", name.device, name.port);
}

// One endpoint on its way to what it claims.
class Endpoint {
 public:
  Endpoint(const Name& name, std::string origin, const std::string& host)
      : name_(name), origin_(std::move(origin)), host_(host) {}

  Result<EtcdWord> read(const json::object& spec) {
    const Result<std::string> node = text_in(spec, "node");
    if (!node) return fail(node.error());
    if (*node != host_) {
      return fail(ErrorCode::kBadInput, "spec.node is '{}', and this host is '{}' ([host] name)",
                  printable(*node), host_);
    }
    Result<std::string> interface = text_in(spec, "interfaceName");
    if (!interface) return fail(std::move(interface).error());
    interface_ = std::move(*interface);
    const Result<json::array> networks = array_of(spec, "ipNetworks");
    if (!networks) return fail(networks.error());
    const Result<json::array> nats = array_of(spec, "ipNATs");
    if (!nats) return fail(nats.error());
    // Most endpoints have none, and nobody need hear what else is odd with those.
    if (nats->empty()) return EtcdWord();
    for (const json::value& each : *networks) take_network(each);
    for (std::size_t i = 0; i < nats->size(); ++i) {
      Result<Binding> binding = binding_of((*nats)[i]);
      if (binding) {
        word_.entries.push_back({std::move(*binding), origin_});
      } else {
        word_.problems.push_back(
            {floating_of((*nats)[i]), fmt::format("ipNATs[{}]: {}", i, binding.error().message())});
      }
    }
    return std::move(word_);
  }

 private:
  void take_network(const json::value& value) {
    const json::string* text = value.if_string();
    const std::string written = text == nullptr ? json::serialize(value) : std::string(*text);
    // An address alone is a network of one.
    const Result<IpAddress> address = parse_address(written);
    const Result<Prefix> network = Prefix::parse(
        address ? fmt::format("{}/{}", written, address->is_v4() ? 32 : 128) : written);
    if (network) {
      networks_.push_back(*network);
    } else {
      word_.problems.push_back(
          {std::nullopt, fmt::format("ipNetworks: '{}' is not a network", printable(written))});
    }
  }

  static std::optional<IpAddress> floating_of(const json::value& nat) {
    const json::object* object = nat.if_object();
    const Result<IpAddress> floating =
        address_in(object == nullptr ? json::object() : *object, "externalIP");
    return floating ? std::optional(*floating) : std::nullopt;
  }

  Result<Binding> binding_of(const json::value& value) {
    const json::object* nat = value.if_object();
    if (nat == nullptr) return fail(ErrorCode::kBadInput, "is no object");
    const Result<IpAddress> floating = address_in(*nat, "externalIP");
    if (!floating) return fail(floating.error());
    const Result<IpAddress> fixed = address_in(*nat, "internalIP");
    if (!fixed) return fail(fixed.error());
    const bool own = std::any_of(networks_.begin(), networks_.end(),
                                 [&](const Prefix& each) { return each.contains(*fixed); });
    if (!own) {
      return fail(ErrorCode::kBadInput,
                  "{} cannot lead to {}: that is in none of the endpoint's ipNetworks", *floating,
                  *fixed);
    }
    const bool twice = std::any_of(
        word_.entries.begin(), word_.entries.end(),
        [&](const EtcdWord::Entry& each) { return each.binding.floating == *floating; });
    if (twice) return fail(ErrorCode::kBadInput, "{} is there twice", *floating);
    json::object known;
    known["floating"] = floating->to_string();
    known["fixed"] = fixed->to_string();
    known["port"] = name_.port;
    if (!interface_.empty()) known["interface"] = interface_;
    return binding_from_json(std::move(known), "as a binding");
  }

  const Name& name_;
  std::string origin_;
  const std::string& host_;
  std::string interface_;
  std::vector<Prefix> networks_;
  EtcdWord word_;
};

Result<EtcdWord> decode(std::string_view name, std::string_view value, const std::string& host) {
  const Result<Name> known = name_of(name);
  if (!known) return fail(known.error());
  const Result<json::object> spec = spec_of(value);
  if (!spec) return fail(spec.error());
  return Endpoint(*known, origin_of(*known), host).read(*spec);
}

}  // namespace

Result<json::object> spec_of(std::string_view value) {
  const Result<json::value> parsed = json_of(value);
  if (!parsed) return fail(parsed.error());
  const json::object* object = parsed->if_object();
  const json::value* spec = object == nullptr ? nullptr : object->if_contains("spec");
  if (spec == nullptr || !spec->is_object()) {
    return fail(ErrorCode::kBadInput, "no JSON object with a spec");
  }
  return spec->get_object();
}

std::string doubled(std::string_view part) {
  std::string out;
  for (const char c : part) out.append(c == '-' ? 2 : 1, c);
  return out;
}

EtcdKeys calico_keys(std::string_view region, const std::string& host) {
  EtcdKeys keys;
  keys.source = "calico";
  const std::string scope = fmt::format("openstack{}{}/", region.empty() ? "" : "-region-", region);
  const std::string endpoints = fmt::format("{}{}", kEndpoints, scope);
  keys.prefix = fmt::format("{}{}-openstack-", endpoints, doubled(host));
  keys.parts_prefix = fmt::format("{}{}", kMigrations, scope);
  const auto end_of = [skip = keys.prefix.size()](std::string_view key) {
    return key.substr(std::min(skip, key.size()));
  };
  keys.decode = [end_of, host, endpoints](std::string_view key, std::string_view value) {
    if (key.starts_with(kMigrations)) return decode_migration(value, endpoints, host);
    return decode(end_of(key), value, host);
  };
  keys.title = [end_of](std::string_view key) -> std::string {
    if (key.starts_with(kMigrations)) {
      return fmt::format("LiveMigration {}", printable(key.substr(kMigrations.size())));
    }
    const Result<Name> name = name_of(end_of(key));
    if (!name) return printable(end_of(key));
    return fmt::format("endpoint {}/{}", printable(name->device), printable(name->port));
  };
  keys.origin = [end_of, title = keys.title](std::string_view key) {
    const Result<Name> name = name_of(end_of(key));
    if (key.starts_with(kMigrations) || !name) return "calico:" + title(key);
    return origin_of(*name);
  };
  return keys;
}

}  // namespace fipd
