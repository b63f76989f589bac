#include "nat/nft_event.h"
#include "netlink_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fipd::nat::CommitReader reader("fipd");
  for_each_message(data, size, [&](const nlmsghdr& message) {
    const auto news = reader.take(message);
    if (news.to_ours && news.to_ours->name.size() > 16) __builtin_trap();
  });
  return 0;
}
