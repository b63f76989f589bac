// Whatever is in a configuration file, it is taken or refused in words with a place.
#include "daemon/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fipd::ConfigText text{"fuzz.toml", std::string(reinterpret_cast<const char*>(data), size)};
  const auto config = fipd::parse_config(std::span(&text, 1));
  if (!config && config.error().message().empty()) __builtin_trap();
  return 0;
}
