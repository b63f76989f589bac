#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/sources/etcd/etcd_records.h"

namespace fipd {

// A fuzzer's bytes as events of a watch. One key a line: KEY VALUE, or KEY alone for a deletion.
template <typename KeyOf, typename Take>
void each_event(const std::uint8_t* data, std::size_t size, KeyOf key_of, Take take) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::int64_t revision = 0;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    EtcdEvent event;
    event.removed = space == std::string_view::npos;
    event.pair.key = key_of(line.substr(0, space));
    if (!event.removed) event.pair.value = line.substr(space + 1);
    event.pair.revision = ++revision;
    take(event);
  }
}

}  // namespace fipd
