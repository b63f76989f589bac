#include "daemon/state/document.h"

#include <algorithm>
#include <array>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/stream_parser.hpp>

#include "daemon/state/binding_draft.h"
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

Word word_of(const json::value& value, std::string_view& text) {
  Word word{.kind = json_kind(value)};
  if (const json::string* string = value.if_string()) {
    text = std::string_view(string->data(), string->size());
    word.text = &text;
  }
  word.flag = value.if_bool();
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
    Word word{.kind = kind_of(value)};
    std::string_view text;
    if (const auto* string = value.as_string()) {
      text = string->get();
      word.text = &text;
    }
    if (const auto* flag = value.as_boolean()) word.flag = &flag->get();
    if (Outcome set = draft.set(key.str(), word); !set) {
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

}  // namespace

Result<Binding> binding_from_json(const json::value& value, std::string_view place) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::kBadInput, "{} is {}: write an object", place, json_kind(value));
  }
  BindingDraft draft;
  for (const auto& member : *object) {
    std::string_view text;
    const Word word = word_of(member.value(), text);
    if (Outcome set = draft.set(member.key(), word); !set) {
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
  object["fixed"] = binding.fixed.to_string();
  if (!binding.interface.empty()) object["interface"] = binding.interface;
  if (!binding.id.empty()) object["id"] = binding.id;
  if (!binding.port.empty()) object["port"] = binding.port;
  if (binding.primary) object["primary"] = true;
  return object;
}

}  // namespace fipd
