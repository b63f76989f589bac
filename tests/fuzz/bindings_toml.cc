// Whatever is in a binding file; and what the quick reader takes, toml++ takes the same way.
#include "daemon/state/document.h"
#include "daemon/state/plain_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto quick = fipd::plain_bindings(text);
  // A carriage return before the line's end is beyond the quick reader, and nothing to toml++.
  const auto thorough = fipd::bindings_from_toml(text + "\r\n", "fuzz.toml");
  if (quick && (!thorough || *thorough != *quick)) __builtin_trap();
  return 0;
}
