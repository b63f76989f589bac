#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "daemon/base/result.h"

namespace fipd {

// An address, once parsed, is this type and never a string. Host and network byte order meet only
// in the message encoders.
using IpAddress = boost::asio::ip::address;

// Strict: no scope, no IPv4-mapped IPv6, no leading zeros or short forms. kBadInput otherwise.
[[nodiscard]] Result<IpAddress> parse_address(std::string_view text);

// AF_INET or AF_INET6.
[[nodiscard]] int family_of(const IpAddress& address);

// 32 or 128: the prefix length of a host route.
[[nodiscard]] unsigned host_prefix_length(const IpAddress& address);

// The address in network byte order: 4 or 16 bytes, and back.
struct AddressBytes {
  std::uint8_t data[16];
  std::size_t size;
};
[[nodiscard]] AddressBytes to_bytes(const IpAddress& address);
// `size` must be 4 or 16.
[[nodiscard]] IpAddress from_bytes(const void* data, std::size_t size);

struct AddressHash {
  std::size_t operator()(const IpAddress& address) const noexcept;
};

// A network in CIDR form, host bits zero.
class Prefix {
 public:
  // kBadInput with the remedy where host bits are set ("write 10.0.0.0/24") or the length is off.
  [[nodiscard]] static Result<Prefix> parse(std::string_view text);
  // `length` at most the family's; host bits are cleared.
  Prefix(const IpAddress& address, unsigned length);

  [[nodiscard]] const IpAddress& address() const { return address_; }
  [[nodiscard]] unsigned length() const { return length_; }
  // The highest address in it; address() is the lowest.
  [[nodiscard]] IpAddress last() const;
  [[nodiscard]] bool contains(const IpAddress& address) const;
  [[nodiscard]] bool overlaps(const Prefix& other) const;
  [[nodiscard]] bool is_host() const { return length_ == host_prefix_length(address_); }
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Prefix&, const Prefix&) = default;

 private:
  IpAddress address_;
  unsigned length_;
};

}  // namespace fipd

template <>
struct fmt::formatter<boost::asio::ip::address> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const boost::asio::ip::address& address, Context& context) const {
    return fmt::formatter<std::string>::format(address.to_string(), context);
  }
};

template <>
struct fmt::formatter<fipd::Prefix> : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const fipd::Prefix& prefix, Context& context) const {
    return fmt::formatter<std::string>::format(prefix.to_string(), context);
  }
};
