#include "nat/element_message.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cstring>

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

// The kinds of message: of each map and family its deletes and its adds.
std::uint64_t kind_bit(std::size_t map, bool removal) {
  return std::uint64_t{1} << (2 * map + (removal ? 0U : 1U));
}
static_assert(2 * kMaps <= 64);

}  // namespace

ElementEncoder::ElementEncoder(std::string_view table) {
  for (unsigned kind = 0; kind < kMapKinds; ++kind) {
    for (const bool v6 : {false, true}) {
      const auto map = static_cast<Map>(kind);
      std::vector<std::byte>& names = names_[map_index(map, v6)];
      append_text(names, NFTA_SET_ELEM_LIST_TABLE, table);
      append_text(names, NFTA_SET_ELEM_LIST_SET, map_name(map, v6 ? AF_INET6 : AF_INET));
      shapes_[map_index(map, v6)] = shape_of(map, v6);
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

void ElementEncoder::element(const ElementShape& shape, const ElementChange& change, bool removal) {
  const std::vector<std::byte>& bytes = removal ? shape.remove : shape.add;
  std::byte* at = grow(bytes.size());
  std::memcpy(at, bytes.data(), bytes.size());
  put_key(at + ElementShape::kKeyAt, change.map, change.key);
  if (!removal) put_value(at + shape.value_at, *change.after);
}

void ElementEncoder::encode_group(std::span<const ElementChange> changes, std::size_t map,
                                  bool removal, Packing packing) {
  const ElementShape& shape = shapes_[map];
  const std::size_t size = removal ? shape.remove.size() : shape.add.size();
  bool is_open = false;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const ElementChange& change = changes[i];
    if (map_index(change.map, change.key.address.is_v6()) != map) continue;
    if (!(removal ? change.before : change.after)) continue;
    if (is_open && (packing == Packing::kOne || used_ - list_at_ + size > kMaxList)) {
      close();
      is_open = false;
    }
    if (!is_open) {
      open(map, removal, sequence_ + static_cast<std::uint32_t>(first_change_.size()), i);
      is_open = true;
    }
    element(shape, change, removal);
    ++elements_;
  }
  if (is_open) close();
}

std::span<const std::byte> ElementEncoder::encode(std::span<const ElementChange> changes,
                                                  std::uint32_t sequence, Packing packing) {
  if (buffer_.size() > kKeptBuffer && changes.size() < 1000) {
    buffer_ = {};
    first_change_ = {};
  }
  used_ = 0;
  elements_ = 0;
  first_change_.clear();
  sequence_ = sequence;
  std::uint64_t kinds = 0;
  for (const ElementChange& change : changes) {
    const std::size_t map = map_index(change.map, change.key.address.is_v6());
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

}  // namespace fipd::nat
