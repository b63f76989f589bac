// Whatever lies among a host's endpoints: what is claimed is what the keys say, and can be bound.
// One key a line: KEY VALUE, or KEY alone for a deletion.
#include "daemon/sources/etcd/calico_endpoint.h"

#include <set>

#include "daemon/sources/etcd/etcd_records.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
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
  std::int64_t revision = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    fipd::EtcdEvent event;
    event.removed = space == std::string_view::npos;
    event.pair.key = keys.prefix + std::string(line.substr(0, space));
    if (!event.removed) event.pair.value = line.substr(space + 1);
    event.pair.revision = ++revision;
    take(records.apply(event));
    (void)records.problems();
  }
  // Origins are shortened keys, so two strange ones may share one.
  if (claimed.size() > records.size()) __builtin_trap();
  fipd::EtcdRecords again(keys, 0);
  if (again.load(records.pairs(), true, {}).puts.size() != records.size()) __builtin_trap();
  return 0;
}
