#include "daemon/control/request_body.h"

#include <unordered_set>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

#include "daemon/state/document.h"
#include "daemon/state/suggestion.h"

namespace fipd::control {
namespace {

using Seen = std::unordered_set<IpAddress, AddressHash>;

Result<boost::json::object> parse_object(std::string_view text) {
  boost::system::error_code problem;
  boost::json::value value = boost::json::parse({text.data(), text.size()}, problem);
  if (problem) return fail(ErrorCode::kBadInput, "the body is not JSON: {}", problem.message());
  boost::json::object* object = value.if_object();
  if (object == nullptr) return fail(ErrorCode::kBadInput, "the body has to be a JSON object");
  return std::move(*object);
}

Outcome take_put(const boost::json::value& list, ChangeRequest& request, Seen& seen) {
  const boost::json::array* array = list.if_array();
  if (array == nullptr) return fail(ErrorCode::kBadInput, "floating_ips: write a list [...]");
  request.put.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    const std::string place = fmt::format("floating_ips[{}]", i);
    auto binding = binding_from_json((*array)[i], place);
    if (!binding) return fail(std::move(binding.error()));
    if (!seen.insert(binding->floating).second) {
      return fail(ErrorCode::kBadInput, "{}.floating: {} is in the request twice", place,
                  binding->floating);
    }
    request.put.push_back(std::move(*binding));
  }
  return success();
}

Outcome take_addresses(const boost::json::value& list, std::string_view key,
                       std::vector<IpAddress>& into, Seen& seen) {
  const boost::json::array* array = list.if_array();
  if (array == nullptr) return fail(ErrorCode::kBadInput, "{}: write a list of addresses", key);
  into.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    const boost::json::string* text = (*array)[i].if_string();
    if (text == nullptr) return fail(ErrorCode::kBadInput, "{}[{}]: write an address", key, i);
    auto address = parse_address({text->data(), text->size()});
    if (!address) return fail(std::move(address.error()).within(fmt::format("{}[{}]", key, i)));
    if (!seen.insert(*address).second) {
      return fail(ErrorCode::kBadInput, "{}[{}]: {} is in the request twice", key, i, *address);
    }
    into.push_back(*address);
  }
  return success();
}

// Each text of a list, by `take`.
template <typename Take>
Outcome take_texts(const boost::json::value& list, std::string_view key, std::string_view example,
                   Take take) {
  const boost::json::array* array = list.if_array();
  if (array == nullptr || array->empty() || array->size() > kMaxForwardedPorts) {
    return fail(ErrorCode::kBadInput, "{}: write a list of 1 to {}, like [\"{}\"]", key,
                kMaxForwardedPorts, example);
  }
  for (std::size_t i = 0; i < array->size(); ++i) {
    const boost::json::string* text = (*array)[i].if_string();
    const std::string place = fmt::format("{}[{}]", key, i);
    if (text == nullptr) return fail(ErrorCode::kBadInput, "{}: write \"{}\"", place, example);
    if (Outcome taken = take(std::string_view(text->data(), text->size())); !taken) {
      return fail(std::move(taken).error().within(place));
    }
  }
  return success();
}

template <typename T>
Outcome append(Result<T> parsed, std::vector<T>& out) {
  if (!parsed) return fail(std::move(parsed).error());
  out.push_back(*std::move(parsed));
  return success();
}

std::string shown_key(std::string_view key) {
  return key.size() <= 64 ? printable(key) : "(a long one)";
}

}  // namespace

Result<ChangeRequest> batch_from_json(std::string_view text) {
  auto body = parse_object(text);
  if (!body) return fail(std::move(body.error()));
  if (body->empty()) {
    return fail(ErrorCode::kBadInput,
                R"(write {{"floating_ips": [...]}}, {{"remove": [...]}} or both)");
  }
  ChangeRequest request;
  Seen seen;
  for (const auto& [key, value] : *body) {
    Outcome taken;
    if (key == "floating_ips") {
      taken = take_put(value, request, seen);
    } else if (key == "remove") {
      taken = take_addresses(value, key, request.remove, seen);
    } else {
      taken = fail(ErrorCode::kBadInput, "unknown key \"{}\": write floating_ips or remove",
                   shown_key(key));
    }
    if (!taken) return fail(std::move(taken.error()));
  }
  return request;
}

Result<DrainRequest> drain_from_json(std::string_view text) {
  constexpr std::string_view kRemedy = R"(write {"all": true} or {"floating_ips": ["172.16.1.3"]})";
  const auto body = parse_object(text);
  if (!body) return fail(body.error());
  if (body->size() != 1) return fail(ErrorCode::kBadInput, "{}", kRemedy);
  DrainRequest request;
  const boost::json::key_value_pair& only = *body->begin();
  if (only.key() == "all") {
    const bool* all = only.value().if_bool();
    if (all == nullptr || !*all) return fail(ErrorCode::kBadInput, "{}", kRemedy);
    request.host = true;
    return request;
  }
  if (only.key() != "floating_ips") return fail(ErrorCode::kBadInput, "{}", kRemedy);
  Seen seen;
  Outcome taken = take_addresses(only.value(), only.key(), request.floatings, seen);
  if (!taken) return fail(std::move(taken.error()));
  return request;
}

Result<ChangeRequest> put_from_json(std::string_view text, const IpAddress& floating) {
  auto body = parse_object(text);
  if (!body) return fail(std::move(body.error()));
  if (!body->contains("floating")) (*body)["floating"] = floating.to_string();
  auto binding = binding_from_json(std::move(*body), "body");
  if (!binding) return fail(std::move(binding.error()));
  if (binding->floating != floating) {
    return fail(ErrorCode::kBadInput, "body.floating is {}, the path says {}: leave it out",
                binding->floating, floating);
  }
  ChangeRequest request;
  request.put.push_back(std::move(*binding));
  return request;
}

Result<ChangeRequest> forwards_from_json(std::string_view text, const IpAddress& floating) {
  auto body = parse_object(text);
  if (!body) return fail(std::move(body.error()));
  ChangeRequest request;
  ForwardEdit& edit = request.forwards.emplace();
  edit.floating = floating;
  if (body->empty()) {
    return fail(
        ErrorCode::kBadInput,
        R"(write {{"add": ["tcp/443=10.65.0.13:8443"]}}, {{"remove": ["tcp/443"]}} or both)");
  }
  for (const auto& [key, value] : *body) {
    Outcome taken;
    if (key == "add") {
      taken = take_texts(value, "add", "tcp/443=10.65.0.13:8443", [&](std::string_view each) {
        return append(parse_forward(each), edit.add);
      });
    } else if (key == "remove") {
      taken = take_texts(value, "remove", "tcp/443", [&](std::string_view each) {
        return append(parse_forward_removal(each), edit.remove);
      });
    } else {
      taken = fail(ErrorCode::kBadInput, "unknown key \"{}\": write add or remove", shown_key(key));
    }
    if (!taken) return fail(std::move(taken.error()));
  }
  return request;
}

}  // namespace fipd::control
