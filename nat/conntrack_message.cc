#include "nat/conntrack_message.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cstring>

#include "nat/attributes.h"

namespace fipd::nat {
namespace {

// The kernel's bits of CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS have no names in its header
// for users: this is CTA_FILTER_FLAG(CTA_IP_DST) of nf_internals.h.
constexpr std::uint32_t kFilterByDestination = 1U << 1;
constexpr std::size_t kHeaders = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));

struct Tuple {
  std::optional<IpAddress> source;
  std::optional<IpAddress> destination;
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
};

std::uint16_t u16_of(const Attribute& attribute) {
  if (attribute.body.size() != 2) return 0;
  std::uint16_t value = 0;
  std::memcpy(&value, attribute.body.data(), sizeof value);
  return ntohs(value);
}

Tuple tuple_of(const Attribute& attribute) {
  Tuple out;
  const Attributes parts(attribute.body);
  const auto ip = parts.find(CTA_TUPLE_IP);
  if (!ip) return out;
  for (const Attribute& part : Attributes(ip->body)) {
    if (part.type == CTA_IP_V4_SRC || part.type == CTA_IP_V6_SRC) out.source = part.address();
    if (part.type == CTA_IP_V4_DST || part.type == CTA_IP_V6_DST) out.destination = part.address();
  }
  const auto protocol = parts.find(CTA_TUPLE_PROTO);
  if (!protocol) return out;
  for (const Attribute& part : Attributes(protocol->body)) {
    if (part.type == CTA_PROTO_NUM && part.body.size() == 1) {
      out.protocol = std::to_integer<std::uint8_t>(part.body[0]);
    }
    if (part.type == CTA_PROTO_SRC_PORT) out.source_port = u16_of(part);
    if (part.type == CTA_PROTO_DST_PORT) out.destination_port = u16_of(part);
  }
  return out;
}

std::size_t append_headers(unsigned type, unsigned flags, unsigned family, std::uint32_t sequence,
                           std::vector<std::byte>& out) {
  const std::size_t at = out.size();
  out.resize(at + kHeaders);
  nlmsghdr header{};
  header.nlmsg_len = kHeaders;
  header.nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type);
  header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  header.nlmsg_seq = sequence;
  std::memcpy(out.data() + at, &header, sizeof header);
  nfgenmsg generic{};
  generic.nfgen_family = static_cast<std::uint8_t>(family);
  std::memcpy(out.data() + at + NLMSG_HDRLEN, &generic, sizeof generic);
  return at;
}

// What `append` appends becomes the nested attribute's body.
template <typename Append>
void append_nested(unsigned type, std::vector<std::byte>& out, Append append) {
  const std::size_t at = out.size();
  out.resize(at + NLA_HDRLEN);
  append();
  nlattr header;
  header.nla_type = static_cast<std::uint16_t>(NLA_F_NESTED | type);
  header.nla_len = static_cast<std::uint16_t>(out.size() - at);
  std::memcpy(out.data() + at, &header, sizeof header);
}

// nlmsg_len of the message that began at `at` and is the last.
void end_message(std::size_t at, std::vector<std::byte>& out) {
  const auto length = static_cast<std::uint32_t>(out.size() - at);
  std::memcpy(out.data() + at, &length, sizeof length);  // nlmsg_len comes first
}

void append_attribute(unsigned type, std::span<const std::byte> body, std::vector<std::byte>& out) {
  const std::size_t at = out.size();
  nlattr header;
  header.nla_type = static_cast<std::uint16_t>(type);
  header.nla_len = static_cast<std::uint16_t>(NLA_HDRLEN + body.size());
  out.resize(at + NLA_ALIGN(NLA_HDRLEN + body.size()));
  std::memcpy(out.data() + at, &header, sizeof header);
  std::memcpy(out.data() + at + NLA_HDRLEN, body.data(), body.size());
}

}  // namespace

std::optional<ConnectionView> decode_connection(const nlmsghdr& message) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_CTNETLINK || parsed->type != IPCTNL_MSG_CT_NEW) {
    return std::nullopt;
  }
  ConnectionView out;
  out.family = parsed->family;
  Tuple original;
  Tuple reply;
  for (const Attribute& attribute : Attributes(parsed->attributes)) {
    switch (attribute.type) {
      case CTA_TUPLE_ORIG:
        original = tuple_of(attribute);
        out.original_tuple = attribute.body;
        break;
      case CTA_TUPLE_REPLY:
        reply = tuple_of(attribute);
        break;
      case CTA_ID:
        out.id = attribute.u32();
        break;
      case CTA_ZONE:
        if (attribute.body.size() == 2) out.zone = u16_of(attribute);
        break;
      default:
        break;
    }
  }
  if (!original.source || !original.destination || !reply.source || !reply.destination) {
    return std::nullopt;
  }
  out.original_source = *original.source;
  out.original_destination = *original.destination;
  out.reply_source = *reply.source;
  out.reply_destination = *reply.destination;
  out.protocol = original.protocol;
  out.original_destination_port = original.destination_port;
  out.reply_source_port = reply.source_port;
  return out;
}

std::vector<std::byte> connection_dump(int family, std::uint32_t sequence) {
  std::vector<std::byte> out;
  append_headers(IPCTNL_MSG_CT_GET, NLM_F_DUMP, static_cast<unsigned>(family), sequence, out);
  return out;
}

std::vector<std::byte> connection_dump(const IpAddress& address, End end, std::uint32_t sequence) {
  std::vector<std::byte> out = connection_dump(AF_INET, sequence);
  const AddressBytes bytes = to_bytes(address);
  const std::span<const std::uint8_t> destination(bytes.data, bytes.size);
  const bool original = end == End::kOriginalDestination;
  append_nested(original ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY, out, [&] {
    append_nested(CTA_TUPLE_IP, out,
                  [&] { append_attribute(CTA_IP_V4_DST, std::as_bytes(destination), out); });
  });
  append_nested(CTA_FILTER, out, [&] {
    // Of the host's byte order, unlike everything else here.
    append_attribute(original ? CTA_FILTER_ORIG_FLAGS : CTA_FILTER_REPLY_FLAGS,
                     std::as_bytes(std::span(&kFilterByDestination, 1)), out);
  });
  end_message(0, out);
  return out;
}

void append_deletion(const ConnectionView& connection, std::uint32_t sequence,
                     std::vector<std::byte>& out) {
  const std::size_t at = append_headers(IPCTNL_MSG_CT_DELETE, 0, connection.family, sequence, out);
  append_attribute(NLA_F_NESTED | CTA_TUPLE_ORIG, connection.original_tuple, out);
  if (connection.zone) {
    const std::uint16_t zone = htons(*connection.zone);
    append_attribute(CTA_ZONE, std::as_bytes(std::span(&zone, 1)), out);
  }
  if (connection.id) {
    const std::uint32_t id = htonl(*connection.id);
    append_attribute(CTA_ID, std::as_bytes(std::span(&id, 1)), out);
  }
  end_message(at, out);
}

}  // namespace fipd::nat
