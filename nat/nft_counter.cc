#include "nat/nft_counter.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <string>

#include "nat/attributes.h"

namespace fipd::nat {
namespace {

std::optional<Attributes> counter_attributes(const nlmsghdr& message) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_NFTABLES || parsed->type != NFT_MSG_NEWOBJ ||
      parsed->family != NFPROTO_INET) {
    return std::nullopt;
  }
  const Attributes attributes(parsed->attributes);
  const auto type = attributes.find(NFTA_OBJ_TYPE);
  if (!type || type->u32() != NFT_OBJECT_COUNTER) return std::nullopt;
  return attributes;
}

}  // namespace

std::vector<std::byte> counter_request(std::string_view table, std::string_view name,
                                       std::uint32_t sequence) {
  std::vector<std::byte> out(MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(nfgenmsg)) +
                             2 * (NFT_NAME_MAXLEN + 8) + 8);
  nlmsghdr* header = mnl_nlmsg_put_header(out.data());
  header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETOBJ;
  header->nlmsg_flags = NLM_F_REQUEST;
  header->nlmsg_seq = sequence;
  auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
  generic->nfgen_family = NFPROTO_INET;
  mnl_attr_put_strz(header, NFTA_OBJ_TABLE, std::string(table).c_str());
  mnl_attr_put_strz(header, NFTA_OBJ_NAME, std::string(name).c_str());
  mnl_attr_put_u32(header, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
  out.resize(header->nlmsg_len);
  return out;
}

std::optional<Counter> counter_in(const nlmsghdr& message) {
  const auto attributes = counter_attributes(message);
  if (!attributes) return std::nullopt;
  const auto data = attributes->find(NFTA_OBJ_DATA);
  if (!data) return std::nullopt;
  const auto packets = Attributes(data->body).find(NFTA_COUNTER_PACKETS);
  const auto bytes = Attributes(data->body).find(NFTA_COUNTER_BYTES);
  if (!packets || !bytes) return std::nullopt;
  return Counter{packets->u64().value_or(0), bytes->u64().value_or(0)};
}

std::optional<std::string> counter_name_in(const nlmsghdr& message, std::string_view table) {
  const auto attributes = counter_attributes(message);
  if (!attributes) return std::nullopt;
  const auto owner = attributes->find(NFTA_OBJ_TABLE);
  const auto name = attributes->find(NFTA_OBJ_NAME);
  if (!owner || !name || owner->text() != table) return std::nullopt;
  return std::string(name->text());
}

}  // namespace fipd::nat
