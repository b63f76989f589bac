#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "daemon/base/address.h"
#include "daemon/base/result.h"
#include "daemon/state/toml_text.h"
#include "nat/element.h"

namespace fipd::config_values {

// One value of the configuration from its TOML node, of the right kind and within its bounds.
// Errors say what is wrong and what to write, without the place and the setting's name. Pure.

[[nodiscard]] Result<std::string> text(const toml::node& node);
[[nodiscard]] Result<bool> flag(const toml::node& node);
[[nodiscard]] Result<std::uint64_t> integer(const toml::node& node, std::uint64_t least,
                                            std::uint64_t most);
[[nodiscard]] Result<double> share(const toml::node& node);  // 0 to 1
// "500ms", "2s", "1m".
[[nodiscard]] Result<std::chrono::milliseconds> duration(const toml::node& node,
                                                         std::chrono::milliseconds least,
                                                         std::chrono::milliseconds most);
[[nodiscard]] Result<std::filesystem::path> absolute_path(const toml::node& node);
[[nodiscard]] Result<std::filesystem::path> socket_path(const toml::node& node);
// Those that lie within another one of the list are left out: they say nothing.
[[nodiscard]] Result<std::vector<Prefix>> prefixes(const toml::node& node);
[[nodiscard]] Result<std::vector<std::string>> texts(const toml::node& node);
// Names of BIRD's protocols, such as may be put into a command.
[[nodiscard]] Result<std::vector<std::string>> bird_names(const toml::node& node);
[[nodiscard]] Result<std::string> word_of(const toml::node& node,
                                          std::span<const std::string_view> words);
[[nodiscard]] Result<std::string> host_name(const toml::node& node);
[[nodiscard]] Result<std::string> group_name(const toml::node& node);
[[nodiscard]] Result<std::string> nft_name(const toml::node& node);
// "127.0.0.1:9472", "[::1]:9472".
[[nodiscard]] Result<nat::Endpoint> address_and_port(std::string_view written);
[[nodiscard]] Result<std::string> listen_address(const toml::node& node);
[[nodiscard]] Result<std::uint32_t> route_table(const toml::node& node);
[[nodiscard]] Result<unsigned> route_protocol(const toml::node& node);
[[nodiscard]] Result<std::vector<Prefix>> pools(const toml::node& node);

}  // namespace fipd::config_values
