// Whatever lies among a host's endpoints: what is claimed is what the keys say, and can be bound.
#include "daemon/sources/etcd/calico_endpoint.h"

#include <set>

#include "tests/fuzz/etcd_lines.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fipd::EtcdKeys keys = fipd::calico_keys("", "h-1");
  fipd::EtcdRecords records(keys, 0);
  std::set<std::string> claimed;
  const auto take = [&](const fipd::ClaimChanges& changes) {
    for (const fipd::Claim& claim : changes.puts) {
      const fipd::Binding& binding = claim.binding;
      if (binding.floating.is_v4() != binding.fixed.is_v4()) __builtin_trap();
      if (binding.interface.size() > fipd::kMaxInterfaceName) __builtin_trap();
      claimed.insert(claim.origin + " " + binding.floating.to_string());
    }
    for (const auto& removal : changes.removals) {
      claimed.erase(removal.origin + " " + removal.floating.to_string());
    }
  };
  // A line that begins with '~' is one of a LiveMigration.
  const auto key_of = [&](std::string_view name) {
    const bool migration = name.starts_with('~');
    return (migration ? keys.parts_prefix : keys.prefix) + std::string(name.substr(migration));
  };
  fipd::each_event(data, size, key_of, [&](const fipd::EtcdEvent& event) {
    take(records.apply(event));
    (void)records.problems();
  });
  const auto refused = records.refused();
  if (!std::is_sorted(refused.begin(), refused.end())) __builtin_trap();
  // A '/' in a device or port, which no writer puts there, may make two origins look alike.
  if (claimed.size() > records.size()) __builtin_trap();
  fipd::EtcdRecords again(keys, 0);
  if (again.load(records.pairs(), true, {}).puts.size() != records.size()) __builtin_trap();
  return 0;
}
