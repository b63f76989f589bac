#include "daemon/sources/etcd/etcd_value.h"

#include <boost/json/parse.hpp>

namespace fipd {

namespace json = boost::json;

Result<json::value> json_of(std::string_view value) {
  if (value.size() > kLongestEtcdValue) {
    return fail(ErrorCode::kLimit, "{} bytes are more than the {} of a value", value.size(),
                kLongestEtcdValue);
  }
  boost::system::error_code problem;
  json::value parsed = json::parse({value.data(), value.size()}, problem);
  if (problem) return fail(ErrorCode::kBadInput, "not JSON: {}", problem.message());
  return parsed;
}

Result<std::string> text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return std::string();
  const json::string* text = value->if_string();
  if (text == nullptr) return fail(ErrorCode::kBadInput, "{} is no string", name);
  return std::string(*text);
}

}  // namespace fipd
