#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace fipd::fipctl {

// Fields of fipd's answers; what is missing, or of another type in a newer fipd, is empty.
[[nodiscard]] inline const boost::json::value* field_of(const boost::json::value& object,
                                                        std::string_view key) {
  const boost::json::object* fields = object.if_object();
  return fields != nullptr ? fields->if_contains(key) : nullptr;
}

[[nodiscard]] inline std::string text_of(const boost::json::value& object, std::string_view key) {
  const boost::json::value* field = field_of(object, key);
  if (field == nullptr || !field->is_string()) return {};
  return std::string(field->get_string());
}

[[nodiscard]] inline std::int64_t number_of(const boost::json::value& object,
                                            std::string_view key) {
  const boost::json::value* field = field_of(object, key);
  return field != nullptr && field->is_int64() ? field->get_int64() : 0;
}

// A number of which Boost.JSON parses the small ones signed and those above 2^63 unsigned.
[[nodiscard]] inline std::uint64_t count_of(const boost::json::value& object,
                                            std::string_view key) {
  const boost::json::value* field = field_of(object, key);
  if (field != nullptr && field->is_uint64()) return field->get_uint64();
  return field != nullptr && field->is_int64() ? static_cast<std::uint64_t>(field->get_int64()) : 0;
}

[[nodiscard]] inline bool flag_of(const boost::json::value& object, std::string_view key) {
  const boost::json::value* field = field_of(object, key);
  return field != nullptr && field->is_bool() && field->get_bool();
}

[[nodiscard]] inline const boost::json::array& list_of(const boost::json::value& object,
                                                       std::string_view key) {
  static const boost::json::array kNone;
  const boost::json::value* field = field_of(object, key);
  return field != nullptr && field->is_array() ? field->get_array() : kNone;
}

}  // namespace fipd::fipctl
