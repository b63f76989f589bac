// Whatever lies under a host's prefix: what is claimed is what the keys say, however they came.
#include <map>

#include "daemon/sources/etcd/etcd_binding.h"
#include "tests/fuzz/etcd_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* kPrefix = "/host/h/fip/";
  const fipd::EtcdKeys keys = fipd::fipd_keys("/", "h");
  fipd::EtcdRecords records(keys, 0);
  std::map<std::string, std::string> claimed;  // origin -> floating
  const auto take = [&](const fipd::ClaimChanges& changes) {
    for (const auto& claim : changes.puts) {
      claimed[claim.origin] = claim.binding.floating.to_string();
    }
    for (const auto& removal : changes.removals) {
      const auto at = claimed.find(removal.origin);
      if (at != claimed.end() && at->second == removal.floating.to_string()) claimed.erase(at);
    }
  };
  const auto key_of = [&](std::string_view name) { return kPrefix + std::string(name); };
  fipd::each_event(data, size, key_of,
                   [&](const fipd::EtcdEvent& event) { take(records.apply(event)); });
  const auto refused = records.refused();
  if (!std::is_sorted(refused.begin(), refused.end())) __builtin_trap();
  if (claimed.size() != records.size()) __builtin_trap();
  fipd::EtcdRecords again(keys, 0);
  if (again.load(records.pairs(), true, {}).puts.size() != records.size()) __builtin_trap();
  return 0;
}
