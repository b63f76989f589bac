#include "nat/element_message.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cstring>

#include "nat/attributes.h"
#include "nat/ruleset.h"

namespace fipd::nat {
namespace {

constexpr std::size_t kHeaders = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
// An attribute's length has 16 bits, the list's header included.
constexpr std::size_t kMaxList = 0xffff;
// A buffer that a big load left behind is given back by the next small one.
constexpr std::size_t kKeptBuffer = std::size_t{1} << 20;

void put_attribute(std::byte* at, unsigned type, std::size_t length) {
  nlattr header;
  header.nla_type = static_cast<std::uint16_t>(type);
  header.nla_len = static_cast<std::uint16_t>(length);
  std::memcpy(at, &header, sizeof header);
}

void put_headers(std::byte* at, unsigned type, unsigned flags, std::uint32_t sequence,
                 unsigned family, unsigned resource) {
  nlmsghdr header{};
  header.nlmsg_len = kHeaders;
  header.nlmsg_type = static_cast<std::uint16_t>(type);
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = sequence;
  std::memcpy(at, &header, sizeof header);
  nfgenmsg generic{};
  generic.nfgen_family = static_cast<std::uint8_t>(family);
  generic.res_id = htons(static_cast<std::uint16_t>(resource));
  std::memcpy(at + NLMSG_HDRLEN, &generic, sizeof generic);
}

void append_text(std::vector<std::byte>& out, unsigned type, std::string_view text) {
  const std::size_t at = out.size();
  const std::size_t length = NLA_HDRLEN + text.size() + 1;
  out.resize(at + NLA_ALIGN(length));
  put_attribute(out.data() + at, type, length);
  std::memcpy(out.data() + at + NLA_HDRLEN, text.data(), text.size());
}

constexpr unsigned nftables_type(unsigned message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

// 4 or 16 bytes in network order, straight into the message.
void put_address(std::byte* at, const IpAddress& address, std::size_t size) {
  if (size == 4) {
    const auto bytes = address.to_v4().to_bytes();
    std::memcpy(at, bytes.data(), bytes.size());
  } else {
    const auto bytes = address.to_v6().to_bytes();
    std::memcpy(at, bytes.data(), bytes.size());
  }
}

std::size_t element_size(const MappingChange& change, bool removal) {
  const std::size_t address = change.key.is_v4() ? 4 : 16;
  const std::size_t key = change.map == Map::kFloatingByHairpin ? 2 * address : address;
  return 3 * NLA_HDRLEN + key + (removal ? 0 : 2 * NLA_HDRLEN + address);
}

// The twelve kinds of message: of each map its deletes and its adds.
unsigned kind_bit(std::size_t map, bool removal) { return 1U << (2 * map + (removal ? 0U : 1U)); }

}  // namespace

ElementEncoder::ElementEncoder(std::string_view table) {
  for (const Map map : {Map::kFixedByFloating, Map::kFloatingByFixed, Map::kFloatingByHairpin}) {
    for (const bool v6 : {false, true}) {
      std::vector<std::byte>& names = names_[map_index(map, v6)];
      append_text(names, NFTA_SET_ELEM_LIST_TABLE, table);
      append_text(names, NFTA_SET_ELEM_LIST_SET, map_name(map, v6 ? AF_INET6 : AF_INET));
    }
  }
}

std::byte* ElementEncoder::grow(std::size_t size) {
  if (used_ + size > buffer_.size()) buffer_.resize(2 * (used_ + size));
  std::byte* at = buffer_.data() + used_;
  used_ += size;
  return at;
}

void ElementEncoder::frame(unsigned type, std::uint32_t sequence) {
  put_headers(grow(kHeaders), type, 0, sequence, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  first_change_.push_back(npos);
}

void ElementEncoder::open(std::size_t map, bool removal, std::uint32_t sequence,
                          std::size_t change) {
  message_at_ = used_;
  const unsigned type = nftables_type(removal ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM);
  put_headers(grow(kHeaders), type, removal ? 0 : NLM_F_CREATE, sequence, NFPROTO_INET, 0);
  const std::vector<std::byte>& names = names_[map];
  std::memcpy(grow(names.size()), names.data(), names.size());
  list_at_ = used_;
  (void)grow(NLA_HDRLEN);
  first_change_.push_back(change);
}

void ElementEncoder::close() {
  put_attribute(buffer_.data() + list_at_, NLA_F_NESTED | NFTA_SET_ELEM_LIST_ELEMENTS,
                used_ - list_at_);
  const auto length = static_cast<std::uint32_t>(used_ - message_at_);
  std::memcpy(buffer_.data() + message_at_, &length, sizeof length);  // nlmsg_len comes first
}

void ElementEncoder::element(const MappingChange& change, bool removal) {
  const std::size_t size = element_size(change, removal);
  const std::size_t address = change.key.is_v4() ? 4 : 16;
  const bool twice = change.map == Map::kFloatingByHairpin;
  const std::size_t key = twice ? 2 * address : address;
  std::byte* at = grow(size);
  put_attribute(at, NLA_F_NESTED | NFTA_LIST_ELEM, size);
  at += NLA_HDRLEN;
  put_attribute(at, NLA_F_NESTED | NFTA_SET_ELEM_KEY, 2 * NLA_HDRLEN + key);
  put_attribute(at + NLA_HDRLEN, NFTA_DATA_VALUE, NLA_HDRLEN + key);
  at += 2 * NLA_HDRLEN;
  put_address(at, change.key, address);
  if (twice) put_address(at + address, change.key, address);
  if (removal) return;
  at += key;
  put_attribute(at, NLA_F_NESTED | NFTA_SET_ELEM_DATA, 2 * NLA_HDRLEN + address);
  put_attribute(at + NLA_HDRLEN, NFTA_DATA_VALUE, NLA_HDRLEN + address);
  put_address(at + 2 * NLA_HDRLEN, *change.after, address);
}

void ElementEncoder::encode_group(std::span<const MappingChange> changes, std::size_t map,
                                  bool removal, Packing packing) {
  bool is_open = false;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const MappingChange& change = changes[i];
    if (map_index(change.map, change.key.is_v6()) != map) continue;
    if (!(removal ? change.before : change.after)) continue;
    if (is_open &&
        (packing == Packing::kOne || used_ - list_at_ + element_size(change, removal) > kMaxList)) {
      close();
      is_open = false;
    }
    if (!is_open) {
      open(map, removal, sequence_ + static_cast<std::uint32_t>(first_change_.size()), i);
      is_open = true;
    }
    element(change, removal);
    ++elements_;
  }
  if (is_open) close();
}

std::span<const std::byte> ElementEncoder::encode(std::span<const MappingChange> changes,
                                                  std::uint32_t sequence, Packing packing) {
  if (buffer_.size() > kKeptBuffer && changes.size() < 1000) {
    buffer_ = {};
    first_change_ = {};
  }
  used_ = 0;
  elements_ = 0;
  first_change_.clear();
  sequence_ = sequence;
  unsigned kinds = 0;
  for (const MappingChange& change : changes) {
    const std::size_t map = map_index(change.map, change.key.is_v6());
    if (change.before) kinds |= kind_bit(map, true);
    if (change.after) kinds |= kind_bit(map, false);
  }
  frame(NFNL_MSG_BATCH_BEGIN, sequence);
  for (const bool removal : {true, false}) {
    for (std::size_t map = 0; map < kMaps; ++map) {
      if ((kinds & kind_bit(map, removal)) != 0) encode_group(changes, map, removal, packing);
    }
  }
  frame(NFNL_MSG_BATCH_END, sequence_ + static_cast<std::uint32_t>(first_change_.size()));
  return {buffer_.data(), used_};
}

std::size_t ElementEncoder::change_of(std::uint32_t sequence) const {
  const std::uint32_t at = sequence - sequence_;
  return at < first_change_.size() ? first_change_[at] : npos;
}

std::vector<std::byte> ElementEncoder::request(std::size_t map, std::uint32_t sequence,
                                               bool dump) const {
  // NFTA_SET_TABLE and NFTA_SET_NAME have the numbers of the element list's TABLE and SET.
  const std::vector<std::byte>& names = names_[map];
  std::vector<std::byte> out(kHeaders + names.size());
  put_headers(out.data(), nftables_type(dump ? NFT_MSG_GETSETELEM : NFT_MSG_GETSET),
              dump ? NLM_F_DUMP : 0U, sequence, NFPROTO_INET, 0);
  std::memcpy(out.data() + kHeaders, names.data(), names.size());
  const auto length = static_cast<std::uint32_t>(out.size());
  std::memcpy(out.data(), &length, sizeof length);
  return out;
}

void for_each_element(const nlmsghdr& message, FunctionRef<void(const ElementView&)> take) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_NFTABLES || parsed->type != NFT_MSG_NEWSETELEM) {
    return;
  }
  const auto list = Attributes(parsed->attributes).find(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (!list) return;
  for (const Attribute& entry : Attributes(list->body)) {
    ElementView element;
    for (const Attribute& part : Attributes(entry.body)) {
      if (part.type == NFTA_SET_ELEM_FLAGS) element.flags = part.u32().value_or(0);
      if (part.type != NFTA_SET_ELEM_KEY && part.type != NFTA_SET_ELEM_DATA) continue;
      const auto value = Attributes(part.body).find(NFTA_DATA_VALUE);
      if (!value) continue;
      (part.type == NFTA_SET_ELEM_KEY ? element.key : element.value) = value->body;
    }
    take(element);
  }
}

void decode_mappings(const nlmsghdr& message, Map map, bool v6, std::vector<Mapping>& out) {
  const std::size_t address = v6 ? 16 : 4;
  const bool twice = map == Map::kFloatingByHairpin;
  for_each_element(message, [&](const ElementView& element) {
    if (element.value.size() != address) return;
    if (element.key.size() != (twice ? 2 * address : address)) return;
    if (twice && std::memcmp(element.key.data(), element.key.data() + address, address) != 0) {
      return;
    }
    out.push_back(
        {map, from_bytes(element.key.data(), address), from_bytes(element.value.data(), address)});
  });
}

}  // namespace fipd::nat
