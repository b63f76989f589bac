#include "nat/neighbours.h"
#include "nat/nft_counter.h"
#include "netlink_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for_each_message(data, size, [](const nlmsghdr& message) {
    const auto neighbour = fipd::nat::neighbour_in(message, "fipd");
    if (neighbour && (neighbour->hook.empty() || neighbour->family.empty())) __builtin_trap();
    (void)fipd::nat::counter_in(message);
    (void)fipd::nat::counter_name_in(message, "fipd");
  });
  return 0;
}
