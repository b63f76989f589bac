// What an instance answers to an ICMP echo. The first byte says the family, and whether the IP
// header is before it.
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "daemon/health/echo_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int family = (data[0] & 1) != 0 ? AF_INET : AF_INET6;
  const bool with_header = (data[0] & 2) != 0;
  // A copy of just that many bytes, so that the sanitizer sees one byte too many.
  const auto bytes = std::make_unique<std::byte[]>(size - 1);
  for (std::size_t i = 1; i < size; ++i) bytes[i - 1] = static_cast<std::byte>(data[i]);
  const std::span<const std::byte> reply(bytes.get(), size - 1);
  const auto token = fipd::health::decode_echo_reply(reply, family, with_header);
  if (token && size < 17) std::abort();
  return 0;
}
