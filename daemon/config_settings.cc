#include "daemon/config_settings.h"

#include <iterator>

#include "daemon/config_make_setting.h"
#include "daemon/config_values.h"

namespace fipd {
namespace {

namespace values = config_values;
using std::chrono::milliseconds;

using config_values::duration_in;
using config_values::integer_in;
using config_values::kLive;
using config_values::kRestart;
using config_values::setting;

Result<std::string> log_level(const toml::node& node) {
  static constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warning", "error"};
  return values::word_of(node, kLevels);
}

std::vector<Setting> make_settings() {
  using C = Config;
  constexpr milliseconds kMinute(60000);
  constexpr std::uint64_t kMaxMetric = UINT32_MAX;
  return {
      setting<&C::host, &C::Host::name>("host", "name", kRestart, values::host_name),
      setting<&C::control, &C::Control::socket>("control", "socket", kRestart, values::socket_path),
      setting<&C::control, &C::Control::group>("control", "group", kRestart, values::group_name),
      setting<&C::control, &C::Control::read_by_all>("control", "read_by_all", kRestart,
                                                     values::flag),
      setting<&C::store, &C::StoreSettings::path>("store", "path", kRestart, values::absolute_path),
      setting<&C::route, &C::Route::table>("route", "table", kRestart, values::route_table),
      setting<&C::route, &C::Route::protocol>("route", "protocol", kRestart,
                                              values::route_protocol),
      setting<&C::route, &C::Route::metric>("route", "metric", kLive, integer_in(1, kMaxMetric)),
      setting<&C::route, &C::Route::preferred_metric>("route", "preferred_metric", kLive,
                                                      integer_in(1, kMaxMetric)),
      setting<&C::route, &C::Route::drained_metric>("route", "drained_metric", kLive,
                                                    integer_in(1, kMaxMetric)),
      setting<&C::route, &C::Route::settle>("route", "settle", kLive,
                                            duration_in(milliseconds(0), 10 * kMinute)),
      setting<&C::route, &C::Route::take_over_when_heard>("route", "take_over_when_heard", kLive,
                                                          values::flag),
      setting<&C::bird, &C::Bird::enabled>("bird", "enabled", kRestart, values::flag),
      setting<&C::bird, &C::Bird::socket>("bird", "socket", kRestart, values::socket_path),
      setting<&C::bird, &C::Bird::timeout>("bird", "timeout", kRestart,
                                           duration_in(milliseconds(50), kMinute)),
      setting<&C::bird, &C::Bird::interval>("bird", "interval", kLive,
                                            duration_in(milliseconds(100), 10 * kMinute)),
      setting<&C::bird, &C::Bird::kernel_protocols>("bird", "kernel_protocols", kRestart,
                                                    values::bird_names),
      setting<&C::bird, &C::Bird::sessions>("bird", "sessions", kRestart, values::bird_names),
      setting<&C::pools, &C::Pools::allowed>("pools", "allowed", kLive, values::pools),
      setting<&C::sources, &C::Sources::hold_share>("sources", "hold_share", kLive, values::share),
      setting<&C::sources, &C::Sources::hold_above>("sources", "hold_above", kLive,
                                                    integer_in(0, 1000000)),
      setting<&C::files, &C::Files::directory>("files", "directory", kRestart,
                                               values::absolute_path),
      setting<&C::metrics, &C::Metrics::listen>("metrics", "listen", kRestart,
                                                values::listen_address),
      setting<&C::metrics, &C::Metrics::traffic_series>("metrics", "traffic_series", kLive,
                                                        integer_in(0, 10000)),
      setting<&C::log, &C::Log::level>("log", "level", kLive, log_level),
      setting<&C::limits, &C::Limits::floating_ips>("limits", "floating_ips", kLive,
                                                    integer_in(1, 1000000)),
      setting<&C::limits, &C::Limits::clients>("limits", "clients", kRestart, integer_in(1, 1024)),
      setting<&C::limits, &C::Limits::request_bytes>("limits", "request_bytes", kRestart,
                                                     integer_in(4096, 64 << 20)),
      setting<&C::limits, &C::Limits::unsent_bytes>("limits", "unsent_bytes", kRestart,
                                                    integer_in(65536, 64 << 20)),
  };
}

}  // namespace

std::span<const Setting> settings() {
  static const std::vector<Setting> kSettings = [] {
    std::vector<Setting> all = make_settings();
    for (std::vector<Setting>& more :
         std::vector<std::vector<Setting>>{nat_settings(), health_settings(), source_settings()}) {
      std::move(more.begin(), more.end(), std::back_inserter(all));
    }
    return all;
  }();
  return kSettings;
}

}  // namespace fipd
