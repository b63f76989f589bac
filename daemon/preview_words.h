#pragma once

#include <functional>
#include <string>

#include "daemon/observe/preview.h"
#include "daemon/reconcile/preview.h"

namespace fipd {

// How the things are called that a preview names.
struct PreviewNames {
  std::string nft_table = "fipd";
  std::uint32_t route_table = 172;
  unsigned route_protocol = 172;
  std::function<std::string(unsigned)> interface;  // by index; called from the same thread
};

// A preview in the words of nft and ip. Pure.
[[nodiscard]] PreviewReport in_words(const Preview& preview, const PreviewNames& names);

}  // namespace fipd
