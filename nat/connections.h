#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

namespace fipd::nat {

// A translation that is no more: connections under it must go. With a protocol it is that of one
// port of the floating address to one port of the fixed one; without, of the whole address.
struct Translation {
  IpAddress floating;
  IpAddress fixed;
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;
  std::uint16_t fixed_port = 0;
  // Instead, of the whole address: all translations of `floating` but that one; `fixed`
  // unspecified: all there are.
  bool others = false;

  friend bool operator==(const Translation&, const Translation&) = default;
};

// The kernel's connection tracking table, narrow: the seam for the fake. Walks the whole table
// (some 20 to 100 ms at 100,000 entries): call it off the event loop, with many at a time.
class Connections {
 public:
  virtual ~Connections() = default;

  // Deletes the entries that were translated so: original destination is `floating` and the reply
  // comes from `fixed` (both with their ports, where the translation has them); of a whole address
  // also those whose original source is `fixed` and whose reply goes to `floating`: what the
  // instance began under it. All other connections live; see also
  // Translation::others. Returns how many went.
  [[nodiscard]] virtual Result<std::size_t> flush(std::span<const Translation> gone) = 0;

  // How many entries go to, or leave under, each of these addresses, in their order.
  [[nodiscard]] virtual Result<std::vector<std::size_t>> count(
      std::span<const IpAddress> addresses) = 0;
};

}  // namespace fipd::nat
