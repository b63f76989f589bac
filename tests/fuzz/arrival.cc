// What an instance says on its tap. The first byte chooses the protocol.
#include <linux/if_ether.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "daemon/arrival/arrival_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::array<std::uint16_t, 4> kProtocols{ETH_P_ARP, ETH_P_RARP, ETH_P_IPV6, ETH_P_IP};
  // A copy of just that many bytes, so that the sanitizer sees one byte too many.
  const auto bytes = std::make_unique<std::byte[]>(size - 1);
  for (std::size_t i = 1; i < size; ++i) bytes[i - 1] = static_cast<std::byte>(data[i]);
  const auto heard = fipd::arrival::decode(kProtocols[data[0] % 4], {bytes.get(), size - 1});
  // Whoever is heard is somebody.
  if (heard && heard->address && heard->address->is_unspecified()) std::abort();
  return 0;
}
