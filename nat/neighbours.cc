#include "nat/neighbours.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cstring>

#include "nat/attributes.h"
#include "nat/ruleset.h"

namespace fipd::nat {
namespace {

constexpr std::array kHooks = {"prerouting", "input", "forward", "output", "postrouting"};
static_assert(NF_INET_POST_ROUTING + 1 == kHooks.size());

const char* family_name(unsigned family) {
  switch (family) {
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    case NFPROTO_INET:
      return "inet";
    default:
      return nullptr;  // arp, bridge and netdev see no packet of ours at these hooks
  }
}

// Of chains at one priority the kernel runs the one that was registered last first, and tells
// nobody in which order they were: an equal one is taken for one before ours.
bool translates_first(unsigned hook, int priority) {
  if (hook == NF_INET_POST_ROUTING) return priority <= kSourcePriority;
  const bool ours_too = hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_OUT;
  return ours_too && priority <= kDestinationPriority;
}

}  // namespace

std::vector<std::byte> chain_dump(std::uint32_t sequence) {
  nlmsghdr header{};
  header.nlmsg_len = NLMSG_HDRLEN + sizeof(nfgenmsg);
  header.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
  header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  header.nlmsg_seq = sequence;
  std::vector<std::byte> out(header.nlmsg_len);
  std::memcpy(out.data(), &header, sizeof header);  // nfgenmsg: NFPROTO_UNSPEC, every family
  return out;
}

std::optional<Neighbour> neighbour_in(const nlmsghdr& message, std::string_view own_table) {
  const auto parsed = netfilter_message(message);
  if (!parsed || parsed->subsystem != NFNL_SUBSYS_NFTABLES || parsed->type != NFT_MSG_NEWCHAIN) {
    return std::nullopt;
  }
  const Attributes attributes(parsed->attributes);
  const char* family = family_name(parsed->family);
  const auto table = attributes.find(NFTA_CHAIN_TABLE);
  const auto name = attributes.find(NFTA_CHAIN_NAME);
  const auto type = attributes.find(NFTA_CHAIN_TYPE);
  const auto hook = attributes.find(NFTA_CHAIN_HOOK);
  if (family == nullptr || !table || !name || !type || !hook) return std::nullopt;
  if (parsed->family == NFPROTO_INET && table->text() == own_table) return std::nullopt;
  const auto number = Attributes(hook->body).find(NFTA_HOOK_HOOKNUM);
  const auto priority = Attributes(hook->body).find(NFTA_HOOK_PRIORITY);
  if (!number || !priority || number->u32().value_or(kHooks.size()) >= kHooks.size()) {
    return std::nullopt;
  }
  const auto policy = attributes.find(NFTA_CHAIN_POLICY);
  Neighbour out;
  out.priority = static_cast<int>(priority->u32().value_or(0));
  if (type->text() == "nat") {
    if (!translates_first(*number->u32(), out.priority)) return std::nullopt;
    out.kind = Neighbour::Kind::kTranslatesFirst;
  } else if (policy && policy->u32() == NF_DROP) {
    out.kind = Neighbour::Kind::kDrops;
  } else {
    return std::nullopt;
  }
  out.family = family;
  out.table = table->text();
  out.chain = name->text();
  out.hook = kHooks[*number->u32()];
  return out;
}

}  // namespace fipd::nat
