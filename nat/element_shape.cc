#include "nat/element_shape.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <cstring>
#include <string_view>

namespace fipd::nat {
namespace {

// Concatenations are padded to words of 32 bits, part by part.
constexpr std::size_t kWord = 4;
// An attribute of 64 bits, with its header.
constexpr std::size_t kLongNumber = NLA_HDRLEN + 8;

template <typename T>
void put(std::byte* at, T number) {
  std::memcpy(at, &number, sizeof number);
}

// Appends attributes; what is left open gets its length when it is closed.
class Writer {
 public:
  explicit Writer(std::vector<std::byte>& out) : out_(out) {}

  std::size_t open(unsigned type) {
    const std::size_t at = out_.size();
    out_.resize(at + NLA_HDRLEN);
    put(out_.data() + at + 2, static_cast<std::uint16_t>(type));
    return at;
  }
  void close(std::size_t at) {
    put(out_.data() + at, static_cast<std::uint16_t>(out_.size() - at));
    out_.resize(NLA_ALIGN(out_.size()));
  }
  // Zeros, to be filled in later.
  void room(std::size_t size) { out_.resize(out_.size() + size); }
  void zeros(unsigned type, std::size_t size) {
    const std::size_t at = open(type);
    room(size);
    close(at);
  }
  void number(unsigned type, std::uint32_t value) {
    const std::size_t at = open(type);
    room(sizeof value);
    put(out_.data() + at + NLA_HDRLEN, htonl(value));
    close(at);
  }
  void long_number(unsigned type, std::uint64_t value) {
    const std::size_t at = open(type);
    room(sizeof value);
    put(out_.data() + at + NLA_HDRLEN, htobe64(value));
    close(at);
  }
  void text(unsigned type, std::string_view value) {
    const std::size_t at = open(type);
    room(value.size() + 1);
    std::memcpy(out_.data() + at + NLA_HDRLEN, value.data(), value.size());
    close(at);
  }

 private:
  std::vector<std::byte>& out_;
};

void append_counter(Writer& writer) {
  writer.long_number(NFTA_COUNTER_BYTES, 0);
  writer.long_number(NFTA_COUNTER_PACKETS, 0);
}

void append_limit(Writer& writer, unsigned type) {
  writer.long_number(NFTA_LIMIT_RATE, 0);
  writer.long_number(NFTA_LIMIT_UNIT, 1);  // a second
  writer.number(NFTA_LIMIT_BURST, 0);
  writer.number(NFTA_LIMIT_TYPE, type);
  writer.number(NFTA_LIMIT_FLAGS, NFT_LIMIT_F_INV);  // matches what is over it
}

void append_count(Writer& writer) {
  writer.number(NFTA_CONNLIMIT_COUNT, 0);
  writer.number(NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
}

std::string_view expression_of(Map map) {
  if (map == Map::kReceived || map == Map::kSent) return "counter";
  return map == Map::kConnections ? "connlimit" : "limit";
}

// The attributes of the map's expression; returns where they begin.
std::size_t append_expression(Writer& writer, std::vector<std::byte>& out, Map map) {
  const std::size_t expression = writer.open(NLA_F_NESTED | NFTA_SET_ELEM_EXPR);
  writer.text(NFTA_EXPR_NAME, expression_of(map));
  const std::size_t data = writer.open(NLA_F_NESTED | NFTA_EXPR_DATA);
  const std::size_t begin = out.size();
  if (map == Map::kReceived || map == Map::kSent) {
    append_counter(writer);
  } else if (map == Map::kConnections) {
    append_count(writer);
  } else {
    append_limit(writer, map == Map::kNewConnections ? NFT_LIMIT_PKTS : NFT_LIMIT_PKT_BYTES);
  }
  writer.close(data);
  writer.close(expression);
  return begin;
}

std::size_t put_address(std::byte* at, const IpAddress& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    std::memcpy(at, bytes.data(), bytes.size());
    return bytes.size();
  }
  const auto bytes = address.to_v6().to_bytes();
  std::memcpy(at, bytes.data(), bytes.size());
  return bytes.size();
}

struct PutValue {
  std::byte* at;

  void operator()(std::monostate /*none*/) const {}
  void operator()(const IpAddress& address) const { put_address(at, address); }
  void operator()(const Endpoint& endpoint) const {
    const std::size_t size = put_address(at, endpoint.address);
    put(at + size, htons(endpoint.port));
  }
  void operator()(const Counter& counter) const {
    put(at + NLA_HDRLEN, htobe64(counter.bytes));
    put(at + kLongNumber + NLA_HDRLEN, htobe64(counter.packets));
  }
  void operator()(const Rate& rate) const {
    put(at + NLA_HDRLEN, htobe64(rate.per_second));
    put(at + 2 * kLongNumber + NLA_HDRLEN, htonl(rate.burst));
  }
  void operator()(const Count& count) const { put(at + NLA_HDRLEN, htonl(count.most)); }
};

}  // namespace

std::size_t key_size(Map map, bool v6) {
  const std::size_t address = v6 ? 16 : 4;
  if (map == Map::kHairpin) return 2 * address;
  return map == Map::kForwards ? address + 2 * kWord : address;
}

std::size_t data_size(Map map, bool v6) {
  const std::size_t address = v6 ? 16 : 4;
  if (map == Map::kFixedByFloating || map == Map::kFloatingByFixed) return address;
  return map == Map::kForwards ? address + kWord : 0;
}

ElementShape shape_of(Map map, bool v6) {
  ElementShape shape;
  const auto write = [&](std::vector<std::byte>& out, bool removal) {
    Writer writer(out);
    const std::size_t entry = writer.open(NLA_F_NESTED | NFTA_LIST_ELEM);
    const std::size_t key = writer.open(NLA_F_NESTED | NFTA_SET_ELEM_KEY);
    writer.zeros(NFTA_DATA_VALUE, key_size(map, v6));
    writer.close(key);
    if (!removal && data_size(map, v6) != 0) {
      const std::size_t data = writer.open(NLA_F_NESTED | NFTA_SET_ELEM_DATA);
      shape.value_at = out.size() + NLA_HDRLEN;
      writer.zeros(NFTA_DATA_VALUE, data_size(map, v6));
      writer.close(data);
    } else if (!removal && map != Map::kHairpin) {
      shape.value_at = append_expression(writer, out, map);
    }
    writer.close(entry);
  };
  write(shape.remove, true);
  write(shape.add, false);
  return shape;
}

void put_key(std::byte* at, Map map, const Key& key) {
  const std::size_t size = put_address(at, key.address);
  if (map == Map::kHairpin) {
    put_address(at + size, key.address);
  } else if (map == Map::kForwards) {
    put(at + size, key.protocol);
    put(at + size + kWord, htons(key.port));
  }
}

void put_value(std::byte* at, const Value& value) { std::visit(PutValue{at}, value); }

}  // namespace fipd::nat
