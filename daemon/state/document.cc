#include "daemon/state/document.h"

#include <algorithm>
#include <array>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/stream_parser.hpp>

#include "daemon/state/binding_draft.h"
#include "daemon/state/extras_draft.h"
#include "daemon/state/forward.h"
#include "daemon/state/plain_toml.h"
#include "daemon/state/suggestion.h"
#include "daemon/state/text_file.h"
#include "daemon/state/toml_text.h"

namespace fipd {
namespace {

namespace json = boost::json;

constexpr unsigned kMaxJsonDepth = 8;

tl::unexpected<Error> too_many(std::string_view place, std::size_t count) {
  return fail(ErrorCode::kLimit, "{}: {} floating IPs are more than the {} that are taken", place,
              count, kMaxBindings);
}

std::string_view json_kind(const json::value& value) {
  constexpr std::array<std::string_view, 8> kNames = {
      "null", "a boolean", "a number", "a number", "a number", "a string", "an array", "an object"};
  return kNames.at(static_cast<std::size_t>(value.kind()));
}

Word scalar_of(const json::value& value) {
  Word word{.kind = json_kind(value)};
  if (const json::string* string = value.if_string()) {
    word.text = std::string_view(string->data(), string->size());
  }
  if (const bool* flag = value.if_bool()) word.flag = *flag;
  if (const std::int64_t* number = value.if_int64()) word.number = *number;
  return word;
}

Word word_of(const json::value& value) {
  Word word = scalar_of(value);
  if (const json::array* array = value.if_array()) {
    word.list.emplace().reserve(array->size());
    for (const json::value& each : *array) word.list->push_back(scalar_of(each));
  }
  if (const json::object* object = value.if_object()) {
    word.table.emplace().reserve(object->size());
    for (const auto& each : *object) {
      word.table->push_back(scalar_of(each.value()));
      word.table->back().key = each.key();
    }
  }
  return word;
}

Word scalar_of(const toml::node& node) {
  Word word{.kind = kind_of(node)};
  if (const auto* string = node.as_string()) word.text = string->get();
  if (const auto* flag = node.as_boolean()) word.flag = flag->get();
  if (const auto* number = node.as_integer()) word.number = number->get();
  return word;
}

Word word_of(const toml::node& node) {
  Word word = scalar_of(node);
  if (const toml::array* array = node.as_array()) {
    word.list.emplace().reserve(array->size());
    for (const toml::node& each : *array) word.list->push_back(scalar_of(each));
  }
  if (const toml::table* table = node.as_table()) {
    word.table.emplace().reserve(table->size());
    for (const auto& [key, value] : *table) {
      word.table->push_back(scalar_of(value));
      word.table->back().key = key.str();
    }
  }
  return word;
}

std::string line_and_column(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = start == std::string_view::npos ? at + 1 : at - start;
  return fmt::format("{}:{}", line, column);
}

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
  if (text.size() > kMaxDocumentBytes) {
    return fail(ErrorCode::kLimit, "{} bytes are more than the {} that are taken: split it",
                text.size(), kMaxDocumentBytes);
  }
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::stream_parser parser({}, options);
  parser.reset(std::move(storage));
  json::error_code error;
  const std::size_t read = parser.write_some(text.data(), text.size(), error);
  if (!error) parser.finish(error);
  if (!error && text.find_first_not_of(" \t\r\n", read) != std::string_view::npos) {
    error = json::error::extra_data;
  }
  if (error) {
    return fail(ErrorCode::kBadInput, "{}: not JSON: {}", line_and_column(text, read),
                error.message());
  }
  return parser.release();
}

// The array of the document's one key.
Result<const json::array*> entries_of(const json::value& document) {
  const json::object* object = document.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kBadInput, "the document is {}: write {{\"floating_ips\": [...]}}",
                json_kind(document));
  }
  constexpr std::string_view kKey[] = {"floating_ips"};
  for (const auto& member : *object) {
    if (member.key() == kKey[0]) continue;
    return fail(ErrorCode::kBadInput, "'{}' is not known{}", printable(member.key()),
                suggestion(member.key(), kKey));
  }
  const json::value* entries = object->if_contains("floating_ips");
  if (entries == nullptr) {
    return fail(ErrorCode::kBadInput, "'floating_ips' is missing; none at all is []");
  }
  if (!entries->is_array()) {
    return fail(ErrorCode::kBadInput, "floating_ips is {}: write an array", json_kind(*entries));
  }
  return &entries->get_array();
}

Result<Binding> binding_from_toml(const toml::node& node, std::string_view file) {
  const toml::table* table = node.as_table();
  if (table == nullptr) {
    return fail(ErrorCode::kBadInput, "{}: a floating IP is {}: write [[floating_ip]]",
                place_of(node, file), kind_of(node));
  }
  BindingDraft draft;
  for (const auto& [key, value] : *table) {
    if (Outcome set = draft.set(key.str(), word_of(value)); !set) {
      return fail(std::move(set).error().within(
          fmt::format("{}: {}", place_of(key, file), printable(key.str()))));
    }
  }
  if (Outcome finished = draft.finish(); !finished) {
    return fail(std::move(finished).error().within(place_of(node, file)));
  }
  return std::move(draft.binding);
}

Result<const toml::array*> entries_of(const toml::table& document, std::string_view file) {
  constexpr std::string_view kKey[] = {"floating_ip"};
  for (const auto& [key, value] : document) {
    if (key.str() == kKey[0]) continue;
    return fail(ErrorCode::kBadInput, "{}: '{}' is not known{}: write [[floating_ip]]",
                place_of(key, file), printable(key.str()), suggestion(key.str(), kKey));
  }
  const toml::node* entries = document.get("floating_ip");
  if (entries == nullptr) {
    return fail(ErrorCode::kBadInput,
                "{}:1:1: no [[floating_ip]] in it; to say that there are none, write "
                "floating_ip = []",
                file);
  }
  if (const toml::array* array = entries->as_array()) return array;
  return fail(ErrorCode::kBadInput, "{}: floating_ip is {}: write [[floating_ip]]",
              place_of(*entries, file), kind_of(*entries));
}

void write(const Extras& extras, json::object& object) {
  if (!extras.forwards.empty()) {
    json::array forwards;
    forwards.reserve(extras.forwards.size());
    for (const Forward& each : extras.forwards) forwards.emplace_back(to_string(each));
    object["forwards"] = std::move(forwards);
  }
  if (extras.limits) object["limits"] = to_json(*extras.limits);
  if (extras.preference) object["preference"] = *extras.preference;
  if (extras.color != 0) object["color"] = extras.color;
  if (extras.shared) object["shared"] = true;
  if (extras.check) {
    const bool tcp = extras.check->kind == HealthCheck::Kind::kTcp;
    object["check"] = tcp ? fmt::format("tcp/{}", extras.check->port) : "icmp";
  }
}

}  // namespace

Result<Binding> binding_from_json(const json::value& value, std::string_view place) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kBadInput, "{} is {}: write an object", place, json_kind(value));
  }
  BindingDraft draft;
  for (const auto& member : *object) {
    if (Outcome set = draft.set(member.key(), word_of(member.value())); !set) {
      return fail(
          std::move(set).error().within(fmt::format("{}.{}", place, printable(member.key()))));
    }
  }
  if (Outcome finished = draft.finish(); !finished) {
    return fail(std::move(finished).error().within(place));
  }
  return std::move(draft.binding);
}

Result<std::vector<Binding>> bindings_from_json(std::string_view text) {
  json::monotonic_resource memory;
  Result<json::value> document = parse_json(text, &memory);
  if (!document) return fail(std::move(document).error());
  Result<const json::array*> entries = entries_of(*document);
  if (!entries) return fail(std::move(entries).error());
  const std::size_t count = (*entries)->size();
  if (count > kMaxBindings) return too_many("floating_ips", count);

  std::vector<Binding> bindings;
  bindings.reserve(count);
  FirstPlaces seen(count);
  for (std::size_t i = 0; i < count; ++i) {
    Result<Binding> binding = binding_from_json((**entries)[i], "");
    if (!binding) {
      // Once more, for its place, which is not worth wording 50,000 times.
      binding = binding_from_json((**entries)[i], fmt::format("floating_ips[{}]", i));
      return fail(std::move(binding).error());
    }
    if (const std::size_t first = seen.note(binding->floating, i); first != i) {
      return fail(ErrorCode::kBadInput, "floating_ips[{}].floating: {} is at floating_ips[{}], too",
                  i, binding->floating, first);
    }
    bindings.push_back(*std::move(binding));
  }
  return bindings;
}

Result<std::vector<Binding>> bindings_from_toml(std::string_view text, std::string_view file) {
  if (std::optional<std::vector<Binding>> plain = plain_bindings(text)) return *std::move(plain);
  Result<toml::table> document = parse_toml(text, file);
  if (!document) return fail(std::move(document).error());
  Result<const toml::array*> entries = entries_of(*document, file);
  if (!entries) return fail(std::move(entries).error());
  const std::size_t count = (*entries)->size();
  if (count > kMaxBindings) return too_many(file, count);

  std::vector<Binding> bindings;
  bindings.reserve(count);
  FirstPlaces seen(count);
  for (std::size_t i = 0; i < count; ++i) {
    const toml::node& node = (**entries)[i];
    Result<Binding> binding = binding_from_toml(node, file);
    if (!binding) return fail(std::move(binding).error());
    if (const std::size_t first = seen.note(binding->floating, i); first != i) {
      return fail(ErrorCode::kBadInput, "{}: {} is at {}, too", place_of(node, file),
                  binding->floating, place_of((**entries)[first], file));
    }
    bindings.push_back(*std::move(binding));
  }
  return bindings;
}

json::object to_json(const Binding& binding) {
  json::object object;
  object["floating"] = binding.floating.to_string();
  if (binding.forwards().empty()) object["fixed"] = binding.fixed.to_string();
  if (!binding.interface.empty()) object["interface"] = binding.interface;
  if (!binding.id.empty()) object["id"] = binding.id;
  if (!binding.port.empty()) object["port"] = binding.port;
  if (binding.primary) object["primary"] = true;
  write(*binding.extras, object);
  return object;
}

json::object to_json(const Limits& limits) {
  json::object object;
  const auto put = [&](std::string_view key, std::uint64_t value) {
    if (value != 0) object[key] = value;
  };
  put("in_bits", limits.in_bits);
  put("in_burst", limits.in_burst);
  put("out_bits", limits.out_bits);
  put("out_burst", limits.out_burst);
  put("new_connections", limits.new_connections);
  put("new_connections_burst", limits.new_connections_burst);
  put("connections", limits.connections);
  return object;
}

std::string extras_text(const Rare<Extras>& extras) {
  if (extras.is_usual()) return "";
  json::object object;
  write(*extras, object);
  return json::serialize(object);
}

Result<Rare<Extras>> extras_from_text(std::string_view text) {
  Rare<Extras> extras;
  if (text.empty()) return extras;
  const Result<json::value> document = parse_json(text, {});
  if (!document) return fail(document.error());
  const json::object* object = document->if_object();
  if (object == nullptr) return fail(ErrorCode::kBadInput, "is {}", json_kind(*document));
  for (const auto& member : *object) {
    const auto known = set_extra(member.key(), word_of(member.value()), extras);
    if (!known) return fail(Error(known.error()).within(printable(member.key())));
    if (!*known) return fail(ErrorCode::kBadInput, "{}: is not known", printable(member.key()));
  }
  return extras;
}

}  // namespace fipd
