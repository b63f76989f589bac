#include "daemon/base/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace fipd {
namespace {

IpAddress masked(const IpAddress& address, unsigned length) {
  AddressBytes bytes = to_bytes(address);
  for (std::size_t i = 0; i < bytes.size; ++i) {
    const unsigned first_bit = static_cast<unsigned>(i) * 8;
    if (length >= first_bit + 8) continue;
    const unsigned keep = length > first_bit ? length - first_bit : 0;
    bytes.data[i] = static_cast<std::uint8_t>(bytes.data[i] & (0xff00U >> keep));
  }
  return from_bytes(bytes.data, bytes.size);
}

std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 32;
  value *= 0x9e3779b97f4a7c15ULL;
  value ^= value >> 29;
  return value;
}

}  // namespace

Result<IpAddress> parse_address(std::string_view text) {
  // inet_pton is exactly as strict as we want, scopes excepted, which it refuses as well.
  const std::string terminated(text.substr(0, text.find('\0')).substr(0, INET6_ADDRSTRLEN + 1));
  const bool whole = terminated.size() == text.size();
  in_addr v4{};
  if (whole && inet_pton(AF_INET, terminated.c_str(), &v4) == 1) {
    return from_bytes(&v4, sizeof v4);
  }
  in6_addr v6{};
  if (whole && inet_pton(AF_INET6, terminated.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      return fail(ErrorCode::kBadInput, "'{}' is an IPv4-mapped address: write it as IPv4", text);
    }
    return from_bytes(&v6, sizeof v6);
  }
  return fail(ErrorCode::kBadInput, "'{}' is not an IP address", text.substr(0, 64));
}

int family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

unsigned host_prefix_length(const IpAddress& address) { return address.is_v4() ? 32 : 128; }

AddressBytes to_bytes(const IpAddress& address) {
  AddressBytes out{};
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    out.size = bytes.size();
    std::copy(bytes.begin(), bytes.end(), out.data);
  } else {
    const auto bytes = address.to_v6().to_bytes();
    out.size = bytes.size();
    std::copy(bytes.begin(), bytes.end(), out.data);
  }
  return out;
}

IpAddress from_bytes(const void* data, std::size_t size) {
  if (size == 4) {
    boost::asio::ip::address_v4::bytes_type bytes;
    std::memcpy(bytes.data(), data, bytes.size());
    return boost::asio::ip::address_v4(bytes);
  }
  boost::asio::ip::address_v6::bytes_type bytes;
  std::memcpy(bytes.data(), data, bytes.size());
  return boost::asio::ip::address_v6(bytes);
}

std::size_t AddressHash::operator()(const IpAddress& address) const noexcept {
  if (address.is_v4()) return mixed(address.to_v4().to_uint());
  const auto bytes = address.to_v6().to_bytes();
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::memcpy(&high, bytes.data(), sizeof high);
  std::memcpy(&low, bytes.data() + sizeof high, sizeof low);
  return mixed(mixed(high) ^ low);
}

Result<Prefix> Prefix::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  if (!address) return fail(ErrorCode::kBadInput, "'{}' is not a prefix", text.substr(0, 64));
  unsigned length = host_prefix_length(*address);
  if (slash != std::string_view::npos) {
    const auto digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc() || end != digits.data() + digits.size() ||
        length > host_prefix_length(*address)) {
      return fail(ErrorCode::kBadInput, "'{}': the prefix length is not 0 to {}",
                  text.substr(0, 64), host_prefix_length(*address));
    }
  }
  Prefix prefix(*address, length);
  if (prefix.address_ != *address) {
    return fail(ErrorCode::kBadInput, "'{}' has host bits set: write {}", text, prefix.to_string());
  }
  return prefix;
}

Prefix::Prefix(const IpAddress& address, unsigned length)
    : address_(masked(address, length)), length_(length) {}

IpAddress Prefix::last() const {
  AddressBytes bytes = to_bytes(address_);
  for (unsigned bit = length_; bit < host_prefix_length(address_); ++bit) {
    bytes.data[bit / 8] = static_cast<std::uint8_t>(bytes.data[bit / 8] | (0x80U >> bit % 8));
  }
  return from_bytes(bytes.data, bytes.size);
}

bool Prefix::contains(const IpAddress& address) const {
  return address.is_v4() == address_.is_v4() && masked(address, length_) == address_;
}

bool Prefix::overlaps(const Prefix& other) const {
  return length_ <= other.length_ ? contains(other.address_) : other.contains(address_);
}

std::string Prefix::to_string() const {
  return fmt::format("{}/{}", address_.to_string(), length_);
}

}  // namespace fipd
