#include "daemon/sources/etcd/etcd_message.h"

#include <charconv>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <openssl/evp.h>

#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

namespace json = boost::json;

constexpr unsigned kMaxDepth = 16;

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                  reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return out;
}

// The encoder's block form is all that etcd writes: whole groups of four, no line breaks.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out(3 * (text.size() / 4), '\0');
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0 || static_cast<std::size_t>(length) != out.size()) return std::nullopt;
  // It decodes the padding to zeros.
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  out.resize(out.size() - padding);
  return out;
}

tl::unexpected<Error> not_etcd(std::string_view what) {
  return fail(ErrorCode::kBadInput, "etcd's answer is not understood: {}", what);
}

Result<json::object> parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code problem;
  json::value value = json::parse({text.data(), text.size()}, problem, {}, options);
  if (problem) return not_etcd(problem.message());
  json::object* object = value.if_object();
  if (object == nullptr) return not_etcd("it is no JSON object");
  return std::move(*object);
}

// Members are read leniently one by one, and whoever needs one says so.
const json::object* object_at(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* array_at(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains(name);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view text_at(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(text->data(), text->size());
}

bool flag_at(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

// "17" or 17; what is left out is 0.
template <typename Number>
std::optional<Number> number_at(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains(name);
  if (value == nullptr) return Number{0};
  if (const auto* small = value->if_int64(); small != nullptr && *small >= 0) {
    return static_cast<Number>(*small);
  }
  const std::string_view text = text_at(in, name);
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<EtcdHeader> header_of(const json::object& reply) {
  const json::object* header = object_at(reply, "header");
  if (header == nullptr) return not_etcd("it has no header");
  const auto cluster = number_at<std::uint64_t>(*header, "cluster_id");
  const auto revision = number_at<std::int64_t>(*header, "revision");
  if (!cluster || !revision) return not_etcd("its header is malformed");
  return EtcdHeader{*cluster, *revision};
}

Result<EtcdPair> pair_of(const json::object& in) {
  const auto key = from_base64(text_at(in, "key"));
  const auto value = from_base64(text_at(in, "value"));
  const auto revision = number_at<std::int64_t>(in, "mod_revision");
  if (!key || key->empty() || !value || !revision) return not_etcd("a key or value is malformed");
  return EtcdPair{*key, *value, *revision};
}

Result<EtcdEvent> event_of(const json::value& value) {
  const json::object* object = value.if_object();
  const json::object* pair = object == nullptr ? nullptr : object_at(*object, "kv");
  if (pair == nullptr) return not_etcd("an event has no key");
  Result<EtcdPair> read = pair_of(*pair);
  if (!read) return fail(std::move(read).error());
  return EtcdEvent{text_at(*object, "type") == "DELETE", std::move(*read)};
}

json::object range_of(const EtcdRange& range) {
  json::object out;
  out["key"] = base64(range.key);
  if (!range.end.empty()) out["range_end"] = base64(range.end);
  return out;
}

}  // namespace

std::string to_json(const EtcdRange& range) {
  json::object out = range_of(range);
  if (range.revision != 0) out["revision"] = std::to_string(range.revision);
  if (range.limit != 0) out["limit"] = std::to_string(range.limit);
  return json::serialize(out);
}

Result<EtcdRangeReply> range_reply(std::string_view text) {
  const Result<json::object> reply = parse(text);
  if (!reply) return fail(reply.error());
  const Result<EtcdHeader> header = header_of(*reply);
  if (!header) return fail(header.error());
  EtcdRangeReply out;
  out.header = *header;
  out.more = flag_at(*reply, "more");
  const json::array* pairs = array_at(*reply, "kvs");
  if (pairs == nullptr) return out;
  out.pairs.reserve(pairs->size());
  for (const json::value& each : *pairs) {
    const json::object* object = each.if_object();
    if (object == nullptr) return not_etcd("a key is no object");
    Result<EtcdPair> pair = pair_of(*object);
    if (!pair) return fail(std::move(pair).error());
    out.pairs.push_back(std::move(*pair));
  }
  return out;
}

std::string watch_request(const EtcdRange& range) {
  json::object create = range_of(range);
  create["start_revision"] = std::to_string(range.revision);
  create["progress_notify"] = true;
  json::object out;
  out["create_request"] = std::move(create);
  return json::serialize(out);
}

Result<EtcdWatchReply> watch_reply(std::string_view line) {
  const Result<json::object> message = parse(line);
  if (!message) return fail(message.error());
  const json::object* result = object_at(*message, "result");
  // A server that goes down says so in the stream.
  if (result == nullptr) return fail(ErrorCode::kUnavailable, "etcd: {}", error_words(line));
  const Result<EtcdHeader> header = header_of(*result);
  if (!header) return fail(header.error());
  const auto compacted = number_at<std::int64_t>(*result, "compact_revision");
  if (!compacted) return not_etcd("compact_revision is malformed");
  EtcdWatchReply out;
  out.header = *header;
  out.created = flag_at(*result, "created");
  out.canceled = flag_at(*result, "canceled");
  out.compacted = *compacted;
  out.reason = printable(text_at(*result, "cancel_reason"));
  const json::array* events = array_at(*result, "events");
  if (events == nullptr) return out;
  out.events.reserve(events->size());
  for (const json::value& each : *events) {
    Result<EtcdEvent> event = event_of(each);
    if (!event) return fail(std::move(event).error());
    out.events.push_back(std::move(*event));
  }
  return out;
}

std::string transaction(const std::vector<EtcdWrite>& writes, std::int64_t lease) {
  json::array steps;
  for (const EtcdWrite& write : writes) {
    json::object step;
    json::object request;
    request["key"] = base64(write.key);
    if (write.value) {
      request["value"] = base64(*write.value);
      if (lease != 0) request["lease"] = std::to_string(lease);
    }
    step[write.value ? "request_put" : "request_delete_range"] = std::move(request);
    steps.push_back(std::move(step));
  }
  json::object out;
  out["success"] = std::move(steps);
  return json::serialize(out);
}

std::string lease_request(std::int64_t seconds) {
  json::object out;
  out["TTL"] = std::to_string(seconds);
  return json::serialize(out);
}

std::string keepalive_request(std::int64_t id) {
  json::object out;
  out["ID"] = std::to_string(id);
  return json::serialize(out);
}

Result<EtcdLease> lease_reply(std::string_view text) {
  const Result<json::object> reply = parse(text);
  if (!reply) return fail(reply.error());
  // A keepalive is a stream, whose messages are wrapped.
  const json::object* result = object_at(*reply, "result");
  const json::object& lease = result == nullptr ? *reply : *result;
  const auto id = number_at<std::int64_t>(lease, "ID");
  const auto seconds = number_at<std::int64_t>(lease, "TTL");
  if (!id || *id == 0 || !seconds) return not_etcd("a lease is malformed");
  return EtcdLease{*id, *seconds};
}

std::string login_request(std::string_view user, std::string_view password) {
  json::object out;
  out["name"] = user;
  out["password"] = password;
  return json::serialize(out);
}

Result<std::string> login_reply(std::string_view text) {
  const Result<json::object> reply = parse(text);
  if (!reply) return fail(reply.error());
  const std::string_view token = text_at(*reply, "token");
  if (token.empty()) return not_etcd("there is no token in it");
  return std::string(token);
}

std::string error_words(std::string_view text) {
  const Result<json::object> reply = parse(text);
  if (!reply) return printable(text);
  const json::object* nested = object_at(*reply, "error");
  std::string_view words =
      nested == nullptr ? text_at(*reply, "error") : text_at(*nested, "message");
  if (words.empty()) words = text_at(*reply, "message");
  return words.empty() ? "an error without words" : printable(words);
}

std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty()) {
    if (static_cast<unsigned char>(prefix.back()) != 0xff) {
      ++prefix.back();
      return prefix;
    }
    prefix.pop_back();
  }
  return std::string(1, '\0');  // etcd's word for "to the end"
}

}  // namespace fipd
