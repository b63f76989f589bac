#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "daemon/base/result.h"
#include "daemon/config.h"

namespace fipd {

// One setting: the only list of them, for reading, for suggestions and for what needs a restart.
struct Setting {
  std::string_view section;
  std::string_view key;
  bool live = false;  // can change without a restart
  std::function<Outcome(const toml::node&, Config&)> read;
  bool (*equal)(const Config&, const Config&) = nullptr;
};

[[nodiscard]] std::span<const Setting> settings();
// Those of [nat], [metadata] and [floating_ip_limits].
[[nodiscard]] std::vector<Setting> nat_settings();
// Those of [etcd] and [calico], and the order of the sources.
[[nodiscard]] std::vector<Setting> source_settings();
[[nodiscard]] std::vector<Setting> health_settings();

}  // namespace fipd
