#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/base/address.h"

namespace fipd::nat {

// Reading netlink attributes without trusting a single length: iteration ends at the first one
// that does not fit. Views into the message, nothing is copied. Pure.
struct Attribute {
  unsigned type = 0;                // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
  std::span<const std::byte> body;  // payload; nested attributes where it is a container

  // The kernel's texts end in a zero, which is not part of them.
  [[nodiscard]] std::string_view text() const {
    const std::string_view all(reinterpret_cast<const char*>(body.data()), body.size());
    return all.substr(0, all.find('\0'));
  }
  // Big-endian, as nfnetlink has its numbers.
  [[nodiscard]] std::optional<std::uint32_t> u32() const {
    if (body.size() != 4) return std::nullopt;
    std::uint32_t value = 0;
    for (const std::byte byte : body) value = value << 8 | std::to_integer<std::uint32_t>(byte);
    return value;
  }
  [[nodiscard]] std::optional<std::uint64_t> u64() const {
    if (body.size() != 8) return std::nullopt;
    std::uint64_t value = 0;
    for (const std::byte byte : body) value = value << 8 | std::to_integer<std::uint64_t>(byte);
    return value;
  }
  [[nodiscard]] std::optional<IpAddress> address() const {
    if (body.size() != 4 && body.size() != 16) return std::nullopt;
    return from_bytes(body.data(), body.size());
  }
};

class Attributes {
 public:
  explicit Attributes(std::span<const std::byte> all) : all_(all) {}

  class Iterator {
   public:
    explicit Iterator(std::span<const std::byte> rest) : rest_(rest) { read(); }
    const Attribute& operator*() const { return current_; }
    const Attribute* operator->() const { return &current_; }
    Iterator& operator++() {
      rest_ = rest_.subspan(step_);
      read();
      return *this;
    }
    // A sentinel is enough for range-for.
    friend bool operator!=(const Iterator& at, std::nullptr_t) { return at.step_ != 0; }

   private:
    void read() {
      step_ = 0;
      nlattr header;
      if (rest_.size() < sizeof header) return;
      std::memcpy(&header, rest_.data(), sizeof header);
      if (header.nla_len < sizeof header || header.nla_len > rest_.size()) return;
      current_.type = header.nla_type & static_cast<unsigned>(NLA_TYPE_MASK);
      current_.body = rest_.subspan(sizeof header, header.nla_len - sizeof header);
      const std::size_t aligned = NLA_ALIGN(static_cast<std::size_t>(header.nla_len));
      step_ = aligned < rest_.size() ? aligned : rest_.size();
    }

    std::span<const std::byte> rest_;
    Attribute current_;
    std::size_t step_ = 0;
  };

  [[nodiscard]] Iterator begin() const { return Iterator(all_); }
  [[nodiscard]] static std::nullptr_t end() { return nullptr; }

  [[nodiscard]] std::optional<Attribute> find(unsigned type) const {
    for (const Attribute& attribute : *this) {
      if (attribute.type == type) return attribute;
    }
    return std::nullopt;
  }

 private:
  std::span<const std::byte> all_;
};

// An nfnetlink message, taken apart as far as all its kinds agree. Empty where it is too short.
struct NetfilterMessage {
  unsigned subsystem = 0;  // NFNL_SUBSYS_*
  unsigned type = 0;       // NFT_MSG_*, IPCTNL_MSG_*
  unsigned family = 0;     // NFPROTO_*
  std::span<const std::byte> attributes;
};
[[nodiscard]] inline std::optional<NetfilterMessage> netfilter_message(const nlmsghdr& header) {
  constexpr std::size_t kHeaders = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
  if (header.nlmsg_type < NLMSG_MIN_TYPE || header.nlmsg_len < kHeaders) return std::nullopt;
  const auto* bytes = reinterpret_cast<const std::byte*>(&header);
  NetfilterMessage message;
  message.subsystem = NFNL_SUBSYS_ID(header.nlmsg_type);
  message.type = NFNL_MSG_TYPE(header.nlmsg_type);
  message.family = std::to_integer<unsigned>(bytes[NLMSG_HDRLEN]);
  message.attributes = std::span(bytes + kHeaders, header.nlmsg_len - kHeaders);
  return message;
}

// The errno of an NLMSG_ERROR (0: an acknowledgement) or NLMSG_DONE message; nothing for others.
[[nodiscard]] inline std::optional<int> error_of(const nlmsghdr& header) {
  if (header.nlmsg_type != NLMSG_ERROR && header.nlmsg_type != NLMSG_DONE) return std::nullopt;
  if (header.nlmsg_len < NLMSG_HDRLEN + sizeof(int)) return 0;  // NLMSG_DONE may be bare
  int code = 0;
  std::memcpy(&code, reinterpret_cast<const std::byte*>(&header) + NLMSG_HDRLEN, sizeof code);
  return code < 0 ? -code : 0;
}

}  // namespace fipd::nat
