#pragma once

#include <linux/netlink.h>

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace fipd::bgp {

// Bytes as strace prints them, here and back.
inline std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> out;
  std::string digits;
  for (const char c : hex) {
    if (std::isxdigit(static_cast<unsigned char>(c)) != 0) digits += c;
  }
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return out;
}

inline std::string hex_of(const std::vector<std::byte>& bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x} ", static_cast<unsigned>(byte));
  return out;
}

// With its sequence number and length as captured; ip sends trailing zeros after a dump request.
inline std::string captured(std::string_view hex) {
  std::vector<std::byte> bytes = bytes_of(hex);
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes.resize(length);
  return hex_of(bytes);
}

// An aligned copy for the decoders.
class Message {
 public:
  explicit Message(std::string_view hex) : bytes_(bytes_of(hex)) {}
  explicit Message(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace fipd::bgp
