#pragma once

#include <string>
#include <string_view>

#include <toml++/toml.h>

#include "daemon/base/result.h"

namespace fipd {

// toml++ behind limits of our own, for the configuration and for bindings. Every error begins with
// `file:line:column`. Pure.
[[nodiscard]] Result<toml::table> parse_toml(std::string_view text, std::string_view file);

// "a.toml:12:9": where in `file` the node was written.
[[nodiscard]] std::string place_of(const toml::node& node, std::string_view file);
[[nodiscard]] std::string place_of(const toml::key& key, std::string_view file);

// For "is a string, not an integer": "a string", "an array"...
[[nodiscard]] std::string_view kind_of(const toml::node& node);

}  // namespace fipd
