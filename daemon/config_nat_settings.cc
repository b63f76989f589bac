#include "daemon/config_make_setting.h"
#include "daemon/config_nat_values.h"

namespace fipd {
namespace {

namespace values = config_values;
using config_values::duration_in;
using config_values::integer_in;
using config_values::kLive;
using config_values::kRestart;
using config_values::setting;
using std::chrono::milliseconds;

Result<nat::SnatMode> snat_mode(const toml::node& node) {
  static constexpr std::string_view kModes[] = {"egress", "hairpin"};
  const Result<std::string> word = values::word_of(node, kModes);
  if (!word) return fail(word.error());
  return *word == "egress" ? nat::SnatMode::kEgress : nat::SnatMode::kHairpin;
}

}  // namespace

std::vector<Setting> nat_settings() {
  using C = Config;
  using L = Config::FloatingIpLimits;
  constexpr milliseconds kMinute(60000);
  const auto bits = integer_in(0, 100000000000);
  const auto burst = integer_in(0, 1000000000);
  const auto rate = integer_in(0, 1000000);
  return {
      setting<&C::nat, &C::Nat::table>("nat", "table", kRestart, values::nft_name),
      setting<&C::nat, &C::Nat::snat>("nat", "snat", kLive, snat_mode),
      setting<&C::nat, &C::Nat::internal>("nat", "internal", kLive, values::prefixes),
      setting<&C::nat, &C::Nat::guard>("nat", "guard", kLive, values::flag),
      setting<&C::nat, &C::Nat::accounting>("nat", "accounting", kLive, values::flag),
      setting<&C::nat, &C::Nat::keep_connections_on_remove>("nat", "keep_connections_on_remove",
                                                            kLive, values::flag),
      setting<&C::nat, &C::Nat::linger>("nat", "linger", kLive,
                                        duration_in(milliseconds(0), 5 * kMinute)),
      setting<&C::metadata, &C::Metadata::listen>("metadata", "listen", kLive,
                                                  values::metadata_listen),
      setting<&C::metadata, &C::Metadata::interfaces>("metadata", "interfaces", kLive,
                                                      values::interface_patterns),
      setting<&C::floating_ip_limits, &L::in_bits>("floating_ip_limits", "in_bits", kLive, bits),
      setting<&C::floating_ip_limits, &L::in_burst>("floating_ip_limits", "in_burst", kLive, burst),
      setting<&C::floating_ip_limits, &L::out_bits>("floating_ip_limits", "out_bits", kLive, bits),
      setting<&C::floating_ip_limits, &L::out_burst>("floating_ip_limits", "out_burst", kLive,
                                                     burst),
      setting<&C::floating_ip_limits, &L::new_connections>("floating_ip_limits", "new_connections",
                                                           kLive, rate),
      setting<&C::floating_ip_limits, &L::new_connections_burst>(
          "floating_ip_limits", "new_connections_burst", kLive, rate),
      setting<&C::floating_ip_limits, &L::connections>("floating_ip_limits", "connections", kLive,
                                                       integer_in(0, 10000000)),
  };
}

}  // namespace fipd
