#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// Fuzz input as the messages of one datagram, cut as libmnl's mnl_nlmsg_ok() would: the decoders
// are promised that much and no more. Each gets a copy of its own, so that a read past its end
// is seen.
template <typename Take>
void for_each_message(const std::uint8_t* data, std::size_t size, Take take) {
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, data, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > size) return;
    const std::vector<std::uint8_t> copy(data, data + header.nlmsg_len);
    take(*reinterpret_cast<const nlmsghdr*>(copy.data()));
    const std::size_t step = NLMSG_ALIGN(static_cast<std::size_t>(header.nlmsg_len));
    if (step >= size) return;
    data += step;
    size -= step;
  }
}
