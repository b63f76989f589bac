#pragma once

#include <string_view>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"
#include "daemon/state/word.h"

namespace fipd {

// The keys of Extras, as BindingDraft::set(). False: `key` is none of them.
[[nodiscard]] Result<bool> set_extra(std::string_view key, const Word& word, Rare<Extras>& extras);

// The keys of limits; also of the configuration's [floating_ip_limits]. An unknown one is refused.
[[nodiscard]] Outcome set_limit(std::string_view key, const Word& word, Limits& limits);
// Whether they fit together.
[[nodiscard]] Outcome check_limits(const Limits& limits);

}  // namespace fipd
