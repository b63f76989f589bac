#include "daemon/config_make_setting.h"
#include "daemon/config_values.h"

namespace fipd {
namespace {

namespace values = config_values;
using config_values::duration_in;
using config_values::kRestart;
using config_values::setting;
using std::chrono::milliseconds;

Result<std::vector<EtcdEndpoint>> endpoints(const toml::node& node) {
  const Result<std::vector<std::string>> texts = values::texts(node);
  if (!texts) return fail(texts.error());
  std::vector<EtcdEndpoint> all;
  for (const std::string& each : *texts) {
    Result<EtcdEndpoint> endpoint = parse_endpoint(each);
    if (!endpoint) return fail(std::move(endpoint).error());
    all.push_back(std::move(*endpoint));
  }
  return all;
}

// "" for none.
Result<std::filesystem::path> file(const toml::node& node) {
  const Result<std::string> text = values::text(node);
  if (text && text->empty()) return std::filesystem::path();
  return values::absolute_path(node);
}

Result<std::string> prefix(const toml::node& node) {
  Result<std::string> prefix = values::text(node);
  if (!prefix) return prefix;
  if (prefix->size() > 256 || !prefix->starts_with('/') || !prefix->ends_with('/')) {
    return fail(ErrorCode::kBadInput, "'{}' does not begin and end with '/': write \"/fipd/v1/\"",
                *prefix);
  }
  return prefix;
}

// A part of a key: what Calico takes for the name of a namespace.
Result<std::string> region(const toml::node& node) {
  Result<std::string> region = values::host_name(node);
  if (region) return region;
  return fail(ErrorCode::kBadInput,
              "is not the name of a region: letters, digits, '-', '_' and '.' only");
}

// Each source has its place: one that is not written comes after those that are.
Result<std::vector<std::string>> source_order(const toml::node& node) {
  static constexpr std::string_view kSources[] = {"api", "files", "etcd", "calico"};
  const toml::array* array = node.as_array();
  if (array == nullptr || array->empty()) {
    return fail(ErrorCode::kBadInput,
                "write the sources, the one that wins a conflict first: "
                "[\"api\", \"files\", \"etcd\", \"calico\"]");
  }
  std::vector<std::string> order;
  const auto known = [&](std::string_view name) {
    return std::find(order.begin(), order.end(), name) != order.end();
  };
  for (const toml::node& entry : *array) {
    Result<std::string> source = values::word_of(entry, kSources);
    if (!source) return fail(std::move(source).error());
    if (known(*source)) return fail(ErrorCode::kBadInput, "'{}' is there twice", *source);
    order.push_back(*std::move(source));
  }
  for (const std::string_view each : kSources) {
    if (!known(each)) order.emplace_back(each);
  }
  return order;
}

}  // namespace

std::vector<Setting> source_settings() {
  using C = Config;
  constexpr milliseconds kMinute(60000);
  return {
      setting<&C::sources, &C::Sources::order>("sources", "order", kRestart, source_order),
      setting<&C::etcd, &C::Etcd::endpoints>("etcd", "endpoints", kRestart, endpoints),
      setting<&C::etcd, &C::Etcd::prefix>("etcd", "prefix", kRestart, prefix),
      setting<&C::etcd, &C::Etcd::ca>("etcd", "ca", kRestart, file),
      setting<&C::etcd, &C::Etcd::certificate>("etcd", "certificate", kRestart, file),
      setting<&C::etcd, &C::Etcd::key>("etcd", "key", kRestart, file),
      setting<&C::etcd, &C::Etcd::user>("etcd", "user", kRestart, values::text),
      setting<&C::etcd, &C::Etcd::password>("etcd", "password", kRestart, values::text),
      setting<&C::etcd, &C::Etcd::timeout>("etcd", "timeout", kRestart,
                                           duration_in(milliseconds(100), kMinute)),
      setting<&C::etcd, &C::Etcd::probe>("etcd", "probe", kRestart,
                                         duration_in(milliseconds(100), 10 * kMinute)),
      setting<&C::calico, &C::Calico::enabled>("calico", "enabled", kRestart, values::flag),
      setting<&C::calico, &C::Calico::region>("calico", "region", kRestart, region),
      setting<&C::calico, &C::Calico::settle>("calico", "settle", kRestart,
                                              duration_in(milliseconds(0), kMinute)),
      setting<&C::calico, &C::Calico::endpoints>("calico", "endpoints", kRestart, endpoints),
      setting<&C::calico, &C::Calico::ca>("calico", "ca", kRestart, file),
      setting<&C::calico, &C::Calico::certificate>("calico", "certificate", kRestart, file),
      setting<&C::calico, &C::Calico::key>("calico", "key", kRestart, file),
      setting<&C::calico, &C::Calico::user>("calico", "user", kRestart, values::text),
      setting<&C::calico, &C::Calico::password>("calico", "password", kRestart, values::text),
  };
}

}  // namespace fipd
