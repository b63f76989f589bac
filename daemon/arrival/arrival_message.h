#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "daemon/base/address.h"

namespace fipd::arrival {

// What an instance says when it begins to run behind a tap: a gratuitous or other ARP (RFC 826,
// 5227), an unsolicited or other neighbour advertisement (RFC 4861, 4.4), or the RARP (RFC 903)
// with which QEMU announces a guest's MAC address when a migration has ended. Pure: anything else
// is nothing.

// The address that is said to be here; none with RARP, which knows only the MAC address.
struct Heard {
  std::optional<IpAddress> address;

  friend bool operator==(const Heard&, const Heard&) = default;
};

// `bytes` from the network header on, `protocol` the Ethernet type.
[[nodiscard]] std::optional<Heard> decode(std::uint16_t protocol, std::span<const std::byte> bytes);

}  // namespace fipd::arrival
