#include "nat/nft_event.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <cstring>

#include "nat/attributes.h"

namespace fipd::nat {
namespace {

// The table's name is attribute 1 of everything that lives in a table.
constexpr unsigned kTableName = NFTA_TABLE_NAME;
static_assert(kTableName == NFTA_CHAIN_TABLE && kTableName == NFTA_RULE_TABLE &&
              kTableName == NFTA_SET_TABLE && kTableName == NFTA_SET_ELEM_LIST_TABLE &&
              kTableName == NFTA_OBJ_TABLE && kTableName == NFTA_FLOWTABLE_TABLE);

ForeignCommit commit_of(const NetfilterMessage& message) {
  ForeignCommit commit;
  for (const Attribute& attribute : Attributes(message.attributes)) {
    if (attribute.type == NFTA_GEN_ID) commit.generation = attribute.u32().value_or(0);
    if (attribute.type == NFTA_GEN_PROC_PID) commit.pid = attribute.u32().value_or(0);
    if (attribute.type == NFTA_GEN_PROC_NAME) commit.name = attribute.text().substr(0, 16);
  }
  return commit;
}

// A table, or a base chain, in a family whose packets are ours as well.
bool may_concern_neighbours(const NetfilterMessage& message) {
  if (message.family != NFPROTO_INET && message.family != NFPROTO_IPV4 &&
      message.family != NFPROTO_IPV6) {
    return false;
  }
  if (message.type == NFT_MSG_NEWTABLE || message.type == NFT_MSG_DELTABLE) return true;
  if (message.type != NFT_MSG_NEWCHAIN && message.type != NFT_MSG_DELCHAIN) return false;
  return Attributes(message.attributes).find(NFTA_CHAIN_HOOK).has_value();
}

}  // namespace

std::vector<std::byte> generation_request(std::uint32_t sequence) {
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_HDRLEN + sizeof(nfgenmsg);
  header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
  header.nlmsg_flags = NLM_F_REQUEST;
  header.nlmsg_seq = sequence;
  std::vector<std::byte> out(header.nlmsg_len);
  std::memcpy(out.data(), &header, sizeof header);  // nfgenmsg: AF_UNSPEC, version 0, resource 0
  return out;
}

std::optional<std::uint32_t> generation_in(const nlmsghdr& message) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_NFTABLES || parsed->type != NFT_MSG_NEWGEN) {
    return std::nullopt;
  }
  const auto generation = Attributes(parsed->attributes).find(NFTA_GEN_ID);
  if (!generation) return std::nullopt;
  return generation->u32();
}

CommitNews CommitReader::take(const nlmsghdr& message) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_NFTABLES) return {};
  if (parsed->type == NFT_MSG_NEWGEN) {
    CommitNews news;
    if (touched_) news.to_ours = commit_of(*parsed);
    news.to_neighbours = neighbours_;
    forget();
    return news;
  }
  const bool look = !neighbours_ && may_concern_neighbours(*parsed);
  if (!look && (touched_ || parsed->family != NFPROTO_INET)) return {};
  const auto table = Attributes(parsed->attributes).find(kTableName);
  if (!table) return {};
  if (parsed->family == NFPROTO_INET && table->text() == table_) {
    touched_ = true;
  } else if (look) {
    neighbours_ = true;
  }
  return {};
}

}  // namespace fipd::nat
