#include "daemon/observe/refused_words.h"

#include <algorithm>

namespace fipd {

std::span<const RefusedWord> refused_of(const std::vector<RefusedWord>& sorted,
                                        const std::optional<IpAddress>& floating) {
  const auto before = [](const RefusedWord& word, const std::optional<IpAddress>& wanted) {
    return word.floating < wanted;
  };
  const auto first = std::lower_bound(sorted.begin(), sorted.end(), floating, before);
  const auto differs = [&](const RefusedWord& word) { return word.floating != floating; };
  return {first, std::find_if(first, sorted.end(), differs)};
}

FloatingIpReport row_of(const RefusedWord& word) {
  FloatingIpReport row;
  row.unread = true;
  row.earlier_in_force = word.earlier_in_force;
  if (word.floating) row.binding.floating = *word.floating;
  row.source = word.source;
  row.state = State::kRefused;
  row.reason = word.reason;
  return row;
}

}  // namespace fipd
