// Whatever lies under a host's prefix: what is claimed is what the keys say, however they came.
// One key a line: KEY VALUE, or KEY alone for a deletion.
#include "daemon/sources/etcd/etcd_records.h"

#include <map>

#include "daemon/sources/etcd/etcd_binding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* kPrefix = "/host/h/fip/";
  std::string_view rest(reinterpret_cast<const char*>(data), size);
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
  std::int64_t revision = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    fipd::EtcdEvent event;
    event.removed = space == std::string_view::npos;
    event.pair.key = kPrefix + std::string(line.substr(0, space));
    if (!event.removed) event.pair.value = line.substr(space + 1);
    event.pair.revision = ++revision;
    take(records.apply(event));
  }
  // Origins are shortened keys, so two strange ones may share one.
  if (claimed.size() > records.size()) __builtin_trap();
  fipd::EtcdRecords again(keys, 0);
  if (again.load(records.pairs(), true, {}).puts.size() != records.size()) __builtin_trap();
  return 0;
}
