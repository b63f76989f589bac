#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "daemon/base/address.h"

namespace fipd::nat {

// What lies in the maps and sets of our table: plain data, and the changes of a transaction.

// Each exists per family, which the key's address chooses ("..." and "...6").
enum class Map : std::uint8_t {
  kFixedByFloating,  // DNAT: destination address -> fixed address
  kFloatingByFixed,  // SNAT: source address -> floating address, for what leaves the cloud
  kHairpin,          // set, source == destination == key after DNAT: an instance calling itself
  kForwards,         // DNAT: destination address, protocol, port -> fixed address and port
  kReceived,         // set, a counter an element: packets to the address
  kSent,             // the same, from the address
  kRateIn,           // set, a limit of bytes a second an element: over it, packets are dropped
  kRateOut,
  kNewConnections,  // set, a limit of new connections a second an element
  kConnections,     // set, a limit of connections at a time an element
};
inline constexpr unsigned kMapKinds = 10;

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

struct Counter {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  friend bool operator==(const Counter&, const Counter&) = default;
};

// A token bucket: bytes of kRateIn and kRateOut, connections of kNewConnections.
struct Rate {
  std::uint64_t per_second = 0;
  std::uint32_t burst = 0;  // for bytes at least 1; for connections 0 means no burst

  friend bool operator==(const Rate&, const Rate&) = default;
};

struct Count {
  std::uint32_t most = 0;

  friend bool operator==(const Count&, const Count&) = default;
};

struct Key {
  Key() = default;
  // Nearly every key is an address alone.
  Key(const IpAddress& of, std::uint8_t of_protocol = 0, std::uint16_t of_port = 0)
      : address(of), protocol(of_protocol), port(of_port) {}

  IpAddress address;
  std::uint8_t protocol = 0;  // both of kForwards only; IANA's number
  std::uint16_t port = 0;

  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key& a, const Key& b) {
    if (a.address != b.address) {
      return a.address < b.address ? std::strong_ordering::less : std::strong_ordering::greater;
    }
    if (const auto order = a.protocol <=> b.protocol; order != 0) return order;
    return a.port <=> b.port;
  }
};

// By map: an address (kFixedByFloating, kFloatingByFixed), nothing (kHairpin), an endpoint
// (kForwards), a counter, a rate, a count. Addresses are of the key's family.
using Value = std::variant<std::monostate, IpAddress, Endpoint, Counter, Rate, Count>;

struct Element {
  Map map = Map::kFixedByFloating;
  Key key;
  Value value;

  friend bool operator==(const Element&, const Element&) = default;
};

// One element added (no before), removed (no after) or changed (both: a delete and an add in the
// one transaction). Of counters `after` is where it begins to count.
struct ElementChange {
  Map map = Map::kFixedByFloating;
  Key key;
  std::optional<Value> before;
  std::optional<Value> after;

  friend bool operator==(const ElementChange&, const ElementChange&) = default;
};

// "tcp" and the like; the number where nft has no word for it.
[[nodiscard]] std::string protocol_name(std::uint8_t protocol);
// As nft writes it: "172.16.1.3 . tcp . 443 : 10.65.0.13 . 8443".
[[nodiscard]] std::string to_string(const Element& element);

}  // namespace fipd::nat
