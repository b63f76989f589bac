// A forward as anybody may write it; what is taken comes back the same when it is written again.
#include "daemon/state/forward.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed = fipd::parse_forward({reinterpret_cast<const char*>(data), size});
  if (!parsed) return parsed.error().message().empty() ? 1 : 0;
  const auto again = fipd::parse_forward(fipd::to_string(*parsed));
  if (!again || *again != *parsed) __builtin_trap();
  if (parsed->port + parsed->count > 65536 || parsed->fixed_port + parsed->count > 65536) {
    __builtin_trap();
  }
  return 0;
}
