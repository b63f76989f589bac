#include "daemon/config_make_setting.h"
#include "daemon/config_nat_values.h"
#include "daemon/state/extras_draft.h"

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

// As in a binding.
template <auto Field>
Setting limit(std::string_view key) {
  Setting out;
  out.section = "floating_ip_limits";
  out.key = key;
  out.live = kLive;
  out.read = [key](const toml::node& node, Config& config) {
    Word word{.kind = kind_of(node)};
    if (const auto* number = node.as_integer()) word.number = number->get();
    return set_limit(key, word, config.floating_ip_limits);
  };
  out.equal = [](const Config& a, const Config& b) {
    return a.floating_ip_limits.*Field == b.floating_ip_limits.*Field;
  };
  return out;
}

}  // namespace

std::vector<Setting> nat_settings() {
  using C = Config;
  constexpr milliseconds kMinute(60000);
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
      limit<&Limits::in_bits>("in_bits"),
      limit<&Limits::in_burst>("in_burst"),
      limit<&Limits::out_bits>("out_bits"),
      limit<&Limits::out_burst>("out_burst"),
      limit<&Limits::new_connections>("new_connections"),
      limit<&Limits::new_connections_burst>("new_connections_burst"),
      limit<&Limits::connections>("connections"),
  };
}

}  // namespace fipd
