#include "daemon/config_make_setting.h"

namespace fipd {
namespace {

namespace values = config_values;
using config_values::duration_in;
using config_values::integer_in;
using config_values::kLive;
using config_values::setting;
using std::chrono::milliseconds;

Result<std::string> on_failure(const toml::node& node) {
  static constexpr std::string_view kWords[] = {"drain", "withdraw"};
  return values::word_of(node, kWords);
}

}  // namespace

std::vector<Setting> health_settings() {
  using C = Config;
  constexpr milliseconds kMinute(60000);
  const auto times = integer_in(1, 100);
  return {
      setting<&C::health, &C::Health::interval>("health", "interval", kLive,
                                                duration_in(milliseconds(100), 10 * kMinute)),
      setting<&C::health, &C::Health::timeout>("health", "timeout", kLive,
                                               duration_in(milliseconds(50), kMinute)),
      setting<&C::health, &C::Health::rise>("health", "rise", kLive, times),
      setting<&C::health, &C::Health::fall>("health", "fall", kLive, times),
      setting<&C::health, &C::Health::jitter>("health", "jitter", kLive, values::share),
      setting<&C::health, &C::Health::on_failure>("health", "on_failure", kLive, on_failure),
      setting<&C::health, &C::Health::brake_share>("health", "brake_share", kLive, values::share),
      setting<&C::health, &C::Health::brake_above>("health", "brake_above", kLive,
                                                   integer_in(0, 1000000)),
  };
}

}  // namespace fipd
