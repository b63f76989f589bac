#pragma once

#include <type_traits>

#include "daemon/config_settings.h"
#include "daemon/config_values.h"

namespace fipd::config_values {

// How the lists of settings are written: a line a setting, its place in Config, its bounds.

inline constexpr bool kLive = true;
inline constexpr bool kRestart = false;

template <auto Section, auto Field, typename Read>
Setting setting(std::string_view section, std::string_view key, bool live, Read read) {
  using Value = std::remove_reference_t<decltype((std::declval<Config&>().*Section).*Field)>;
  Setting out;
  out.section = section;
  out.key = key;
  out.live = live;
  out.read = [read](const toml::node& node, Config& config) -> Outcome {
    auto value = read(node);
    if (!value) return fail(std::move(value).error());
    (config.*Section).*Field = static_cast<Value>(*std::move(value));
    return success();
  };
  out.equal = [](const Config& a, const Config& b) {
    return (a.*Section).*Field == (b.*Section).*Field;
  };
  return out;
}

inline auto integer_in(std::uint64_t least, std::uint64_t most) {
  return [=](const toml::node& node) { return config_values::integer(node, least, most); };
}

inline auto duration_in(std::chrono::milliseconds least, std::chrono::milliseconds most) {
  return [=](const toml::node& node) { return config_values::duration(node, least, most); };
}

}  // namespace fipd::config_values
