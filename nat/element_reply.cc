#include "nat/element_reply.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <cstring>

#include "nat/attributes.h"
#include "nat/element_shape.h"

namespace fipd::nat {
namespace {

std::uint16_t port_at(std::span<const std::byte> word) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(word[0]) << 8 |
                                    std::to_integer<unsigned>(word[1]));
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte one) { return one == std::byte{}; });
}

std::optional<Key> key_in(std::span<const std::byte> bytes, Map map, bool v6) {
  const std::size_t address = v6 ? 16 : 4;
  if (bytes.size() != key_size(map, v6)) return std::nullopt;
  Key key(from_bytes(bytes.data(), address));
  const auto rest = bytes.subspan(address);
  if (map == Map::kHairpin && std::memcmp(rest.data(), bytes.data(), address) != 0) {
    return std::nullopt;
  }
  if (map == Map::kForwards) {
    if (!all_zero(rest.subspan(1, 3)) || !all_zero(rest.subspan(6, 2))) return std::nullopt;
    key.protocol = std::to_integer<std::uint8_t>(rest[0]);
    key.port = port_at(rest.subspan(4));
  }
  return key;
}

std::optional<std::uint64_t> number_of(const Attributes& all, unsigned type) {
  const auto attribute = all.find(type);
  if (!attribute) return std::nullopt;
  if (attribute->body.size() == 8) return attribute->u64();
  return attribute->u32();
}

std::optional<Value> counter_in(const Attributes& all) {
  const auto packets = number_of(all, NFTA_COUNTER_PACKETS);
  const auto bytes = number_of(all, NFTA_COUNTER_BYTES);
  if (!packets || !bytes) return std::nullopt;
  return Counter{*packets, *bytes};
}

// One that is not as ours are (a limit by the minute, one that matches what is under it) becomes a
// rate of zero, which nobody wants: whoever compares will write it anew.
std::optional<Value> rate_in(const Attributes& all, Map map) {
  const auto rate = number_of(all, NFTA_LIMIT_RATE);
  const auto burst = number_of(all, NFTA_LIMIT_BURST);
  if (!rate || !burst) return std::nullopt;
  const std::uint64_t type = map == Map::kNewConnections ? NFT_LIMIT_PKTS : NFT_LIMIT_PKT_BYTES;
  const bool ours = number_of(all, NFTA_LIMIT_UNIT) == 1 &&
                    number_of(all, NFTA_LIMIT_TYPE) == type &&
                    number_of(all, NFTA_LIMIT_FLAGS) == NFT_LIMIT_F_INV;
  return Rate{ours ? *rate : 0, static_cast<std::uint32_t>(*burst)};
}

std::optional<Value> count_in(const Attributes& all) {
  const auto most = number_of(all, NFTA_CONNLIMIT_COUNT);
  if (!most) return std::nullopt;
  const bool ours = number_of(all, NFTA_CONNLIMIT_FLAGS) == NFT_CONNLIMIT_F_INV;
  return Count{ours ? static_cast<std::uint32_t>(*most) : 0};
}

std::optional<Value> value_in(const ElementView& element, Map map, bool v6) {
  if (element.value.size() != data_size(map, v6)) return std::nullopt;
  const std::size_t address = v6 ? 16 : 4;
  const Attributes attributes(element.expression_data);
  switch (map) {
    case Map::kHairpin:
      return Value();
    case Map::kFixedByFloating:
    case Map::kFloatingByFixed:
      return from_bytes(element.value.data(), address);
    case Map::kForwards:
      return Endpoint{from_bytes(element.value.data(), address),
                      port_at(element.value.subspan(address))};
    case Map::kReceived:
    case Map::kSent:
      if (element.expression != "counter") return std::nullopt;
      return counter_in(attributes);
    case Map::kConnections:
      if (element.expression != "connlimit") return std::nullopt;
      return count_in(attributes);
    default:
      if (element.expression != "limit") return std::nullopt;
      return rate_in(attributes, map);
  }
}

}  // namespace

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
      if (part.type == NFTA_SET_ELEM_EXPR) {
        for (const Attribute& inner : Attributes(part.body)) {
          if (inner.type == NFTA_EXPR_NAME) element.expression = inner.text();
          if (inner.type == NFTA_EXPR_DATA) element.expression_data = inner.body;
        }
      }
      if (part.type != NFTA_SET_ELEM_KEY && part.type != NFTA_SET_ELEM_DATA) continue;
      const auto value = Attributes(part.body).find(NFTA_DATA_VALUE);
      if (!value) continue;
      (part.type == NFTA_SET_ELEM_KEY ? element.key : element.value) = value->body;
    }
    take(element);
  }
}

void decode_elements(const nlmsghdr& message, Map map, bool v6, std::vector<Element>& out) {
  for_each_element(message, [&](const ElementView& element) {
    auto key = key_in(element.key, map, v6);
    if (!key) return;
    auto value = value_in(element, map, v6);
    if (value) out.push_back({map, *key, *value});
  });
}

}  // namespace fipd::nat
