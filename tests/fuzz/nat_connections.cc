#include "nat/conntrack_message.h"
#include "netlink_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> deletions;
  for_each_message(data, size, [&](const nlmsghdr& message) {
    const auto connection = fipd::nat::decode_connection(message);
    if (connection) fipd::nat::append_deletion(*connection, 1, deletions);
  });
  return 0;
}
