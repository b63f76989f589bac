#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/function_ref.h"
#include "nat/nat_table.h"

namespace fipd::nat {

inline constexpr std::size_t kMaps = 6;  // three of each family
// Position of a map of one family in arrays of kMaps.
[[nodiscard]] constexpr std::size_t map_index(Map map, bool v6) {
  return static_cast<std::size_t>(map) + (v6 ? 3U : 0U);
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
  [[nodiscard]] std::span<const std::byte> encode(std::span<const MappingChange> changes,
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
  void element(const MappingChange& change, bool removal);
  void encode_group(std::span<const MappingChange> changes, std::size_t map, bool removal,
                    Packing packing);

  std::array<std::vector<std::byte>, kMaps> names_;  // the attributes TABLE and SET
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::size_t message_at_ = 0;
  std::size_t list_at_ = 0;
  std::size_t elements_ = 0;
  std::uint32_t sequence_ = 0;  // of the batch's begin
  std::vector<std::size_t> first_change_;
};

// One element as it lies in a message. Views.
struct ElementView {
  std::span<const std::byte> key;
  std::span<const std::byte> value;  // empty in sets
  std::uint32_t flags = 0;           // NFT_SET_ELEM_*
};
// Every element of an NFT_MSG_NEWSETELEM message, and of no other kind. Pure.
void for_each_element(const nlmsghdr& message, FunctionRef<void(const ElementView&)> take);
// Appends the mappings in a message of a dump of `map`. What is not of that map's form (a foreign
// element in a concatenated key, source not destination) is left out. Pure.
void decode_mappings(const nlmsghdr& message, Map map, bool v6, std::vector<Mapping>& out);

}  // namespace fipd::nat
