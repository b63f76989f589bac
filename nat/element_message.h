#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "nat/element.h"
#include "nat/element_shape.h"

namespace fipd::nat {

inline constexpr std::size_t kMaps = 2 * kMapKinds;  // of each family one
// Position of a map of one family in arrays of kMaps.
[[nodiscard]] constexpr std::size_t map_index(Map map, bool v6) {
  return static_cast<std::size_t>(map) + (v6 ? kMapKinds : 0U);
}

// Writes changes of map elements as one nftables transaction, byte for byte what the kernel gets.
// A change is a delete and an add. Written by hand: libnftnl allocates several times an element
// and takes longer for it than the kernel for the work. Pure; the buffer is kept between calls.
class ElementEncoder {
 public:
  explicit ElementEncoder(std::string_view table);

  enum class Packing {
    kMany,  // as many elements a message as fit: fast, but an error names only the message
    kOne,   // an element a message: an error names the change
  };
  // The batch; valid until the next call. Changes of one key take effect in the order deletes,
  // adds. Messages are numbered upwards from `sequence`, the batch's begin being the first.
  [[nodiscard]] std::span<const std::byte> encode(std::span<const ElementChange> changes,
                                                  std::uint32_t sequence, Packing packing);
  // After encode(): how many sequence numbers it took.
  [[nodiscard]] std::size_t messages() const { return first_change_.size(); }
  // Whether every message carried one element only, so that an error names its change.
  [[nodiscard]] bool exact() const { return elements_ + 2 == first_change_.size(); }
  // The change that a message of the last batch carries first; npos for the batch's frame.
  [[nodiscard]] std::size_t change_of(std::uint32_t sequence) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  // A request for all elements of one map, or (not `dump`) whether the map is there at all.
  [[nodiscard]] std::vector<std::byte> request(std::size_t map, std::uint32_t sequence,
                                               bool dump) const;

 private:
  [[nodiscard]] std::byte* grow(std::size_t size);
  void frame(unsigned type, std::uint32_t sequence);
  void open(std::size_t map, bool removal, std::uint32_t sequence, std::size_t change);
  void close();
  void element(const ElementShape& shape, const ElementChange& change, bool removal);
  void encode_group(std::span<const ElementChange> changes, std::size_t map, bool removal,
                    Packing packing);

  std::array<std::vector<std::byte>, kMaps> names_;  // the attributes TABLE and SET
  std::array<ElementShape, kMaps> shapes_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::size_t message_at_ = 0;
  std::size_t list_at_ = 0;
  std::size_t elements_ = 0;
  std::uint32_t sequence_ = 0;  // of the batch's begin
  std::vector<std::size_t> first_change_;
};

}  // namespace fipd::nat
