#pragma once

#include "daemon/config.h"
#include "daemon/config_values.h"

namespace fipd::config_values {

// Values of [metadata]; as in config_values.h. Pure.

// "127.0.0.1:8775", "[fd00:a9fe::1]:8775": at most one of a family, and one that a packet can be
// sent to from outside.
[[nodiscard]] Result<std::vector<nat::Endpoint>> metadata_listen(const toml::node& node);
// "tap*", "eth1": names, or how names begin, that nft text can hold.
[[nodiscard]] Result<std::vector<std::string>> interface_patterns(const toml::node& node);

}  // namespace fipd::config_values
