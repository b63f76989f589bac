#pragma once

#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/function_ref.h"

namespace fipd::bgp {

// Appends one rtnetlink message to a buffer; its length is right after every step. Pure; the buffer
// must outlive it and be appended to by nobody else meanwhile.
class WireMessage {
 public:
  template <typename Body>
  WireMessage(std::vector<std::byte>& out, std::uint16_t type, std::uint16_t flags,
              std::uint32_t sequence, const Body& body)
      : out_(out), start_(out.size()) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    header.nlmsg_seq = sequence;
    append(&header, sizeof header);
    append(&body, sizeof body);
    set_length();
  }

  void attribute(std::uint16_t type, const void* data, std::size_t size) {
    rtattr header{};
    header.rta_len = static_cast<unsigned short>(sizeof header + size);
    header.rta_type = type;
    append(&header, sizeof header);
    append(data, size);
    set_length();
  }
  void attribute(std::uint16_t type, std::uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute(std::uint16_t type, const IpAddress& address) {
    const AddressBytes bytes = to_bytes(address);
    attribute(type, bytes.data, bytes.size);
  }

 private:
  void append(const void* data, std::size_t size) {
    const std::size_t at = out_.size();
    out_.resize(at + NLMSG_ALIGN(size));
    std::memcpy(out_.data() + at, data, size);
  }
  void set_length() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_);
    std::memcpy(out_.data() + start_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
  }

  std::vector<std::byte>& out_;
  std::size_t start_;
};

// One attribute's payload; a length other than the asked one is "nothing", never a wild read.
struct WireAttribute {
  std::uint16_t type = 0;
  std::span<const std::byte> payload;

  [[nodiscard]] std::optional<std::uint32_t> number() const {
    std::uint32_t value = 0;
    if (payload.size() != sizeof value) return std::nullopt;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::optional<IpAddress> address(int family) const {
    if (payload.size() != (family == AF_INET ? 4U : 16U)) return std::nullopt;
    return from_bytes(payload.data(), payload.size());
  }
};

// What `size` bytes of attributes hold, up to the first that does not fit: never reads beyond them.
inline void walk_attributes(std::span<const std::byte> bytes,
                            FunctionRef<void(const WireAttribute&)> visit) {
  while (bytes.size() >= sizeof(rtattr)) {
    rtattr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > bytes.size()) return;
    WireAttribute attribute;
    attribute.type = header.rta_type & NLA_TYPE_MASK;
    attribute.payload = bytes.subspan(sizeof header, header.rta_len - sizeof header);
    visit(attribute);
    const std::size_t step = RTA_ALIGN(static_cast<std::size_t>(header.rta_len));
    if (step >= bytes.size()) return;
    bytes = bytes.subspan(step);
  }
}

// A message's fixed part, and what follows it. Nothing where the message is too short. The caller
// vouches that header.nlmsg_len bytes are there (NetlinkSocket does).
template <typename Body>
struct WireBody {
  Body body;
  std::span<const std::byte> attributes;
};
template <typename Body>
std::optional<WireBody<Body>> read_body(const nlmsghdr& header) {
  static_assert(sizeof(Body) % NLMSG_ALIGNTO == 0);
  const std::span message(reinterpret_cast<const std::byte*>(&header), header.nlmsg_len);
  if (message.size() < NLMSG_HDRLEN + sizeof(Body)) return std::nullopt;
  WireBody<Body> out;
  std::memcpy(&out.body, message.data() + NLMSG_HDRLEN, sizeof(Body));
  out.attributes = message.subspan(NLMSG_HDRLEN + sizeof(Body));
  return out;
}

}  // namespace fipd::bgp
