#include "daemon/sources/etcd/etcd_binding.h"

#include <algorithm>
#include <utility>

#include <boost/json/object.hpp>

#include "daemon/sources/etcd/etcd_value.h"
#include "daemon/state/binding_draft.h"
#include "daemon/state/document.h"
#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

namespace json = boost::json;

Result<Claim::Role> role_of(const json::object& object) {
  const Result<std::string> role = text_of(object, "role");
  if (!role) return fail(role.error());
  if (role->empty() || *role == "source") return Claim::Role::kServing;
  if (*role == "target") return Claim::Role::kTarget;
  if (*role == "leaving") return Claim::Role::kLeaving;
  return fail(ErrorCode::kBadInput, "the role '{}' is not known to this version of fipd",
              printable(*role));
}

// As a key has it: escaped, three bytes for one.
constexpr std::size_t kLongestId = 3 * kMaxOpaqueText;

// Whether it can stand whole in listings and in the key of its status.
bool is_id(std::string_view id) { return id.size() <= kLongestId && !has_control_characters(id); }

}  // namespace

Result<EtcdRecord> record_of(std::string_view text) {
  const Result<json::value> value = json_of(text);
  if (!value) return fail(value.error());
  const json::object* object = value->if_object();
  if (object == nullptr) return fail(ErrorCode::kBadInput, "no JSON object");
  EtcdRecord record;
  const Result<Claim::Role> role = role_of(*object);
  if (!role) return fail(role.error());
  record.role = *role;
  Result<std::string> peer = text_of(*object, "peer");
  if (!peer) return fail(std::move(peer).error());
  record.peer = printable(*peer);
  json::object known;
  for (const auto& member : *object) {
    if (is_binding_key(member.key())) known[member.key()] = member.value();
  }
  Result<Binding> binding = binding_from_json(std::move(known), "value");
  if (!binding) return fail(std::move(binding).error());
  record.binding = std::move(*binding);
  return record;
}

std::optional<IpAddress> floating_of(std::string_view text) {
  const Result<json::value> value = json_of(text);
  const json::object* object = value ? value->if_object() : nullptr;
  if (object == nullptr) return std::nullopt;
  const Result<std::string> written = text_of(*object, "floating");
  const Result<IpAddress> floating = parse_address(written ? *written : "");
  return floating ? std::optional(*floating) : std::nullopt;
}

std::string escaped(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

EtcdKeys fipd_keys(const std::string& prefix, std::string_view host) {
  EtcdKeys keys;
  keys.source = "etcd";
  keys.prefix = fmt::format("{}host/{}/fip/", prefix, escaped(host));
  keys.ready = prefix + "ready";
  keys.title = printable;
  // One origin an id, so that two ids with the same floating IP are two claims, and the newer wins.
  const auto id_of = [skip = keys.prefix.size()](std::string_view key) {
    return key.substr(std::min(skip, key.size()));
  };
  keys.origin = [id_of](std::string_view key) {
    const std::string_view id = id_of(key);
    return fmt::format("etcd:{}", is_id(id) ? std::string(id) : printable(id));
  };
  keys.floating = floating_of;
  keys.decode = [id_of, origin = keys.origin](std::string_view key,
                                              std::string_view value) -> Result<EtcdWord> {
    if (!is_id(id_of(key))) {
      return fail(ErrorCode::kBadInput, "its id is longer than {} bytes or has control characters",
                  kLongestId);
    }
    Result<EtcdRecord> record = record_of(value);
    if (!record) return fail(std::move(record).error());
    EtcdWord word;
    EtcdWord::Entry& entry = word.entries.emplace_back();
    entry.binding = std::move(record->binding);
    entry.origin = origin(key);
    entry.role = record->role;
    entry.peer = std::move(record->peer);
    return word;
  };
  return keys;
}

}  // namespace fipd
