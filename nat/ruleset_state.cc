#include "nat/ruleset_state.h"

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "nat/attributes.h"
#include "nat/element_reply.h"
#include "nat/nft_counter.h"
#include "nat/ruleset_sets.h"

namespace fipd::nat {
namespace {

constexpr unsigned kAttempts = 5;  // a dump that a commit ran into is read again

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using NftnlTable = std::unique_ptr<nftnl_table, Freed<nftnl_table_free>>;
using NftnlChain = std::unique_ptr<nftnl_chain, Freed<nftnl_chain_free>>;
using NftnlRule = std::unique_ptr<nftnl_rule, Freed<nftnl_rule_free>>;
using NftnlSet = std::unique_ptr<nftnl_set, Freed<nftnl_set_free>>;

std::string text_of(const char* text) { return text == nullptr ? std::string() : text; }

// Which objects of our table to ask for.
struct Query {
  unsigned message;    // NFT_MSG_GET*
  unsigned attribute;  // of the table's name; the same number in every kind
  bool dump = true;
  std::string_view set = {};
};

std::vector<std::byte> request(const Query& query, const std::string& table,
                               std::uint32_t sequence) {
  std::vector<std::byte> buffer(MNL_NLMSG_HDRLEN + 4 + 2 * (NFT_NAME_MAXLEN + 8));
  nlmsghdr* header = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(buffer.data()),
                                           static_cast<std::uint16_t>(query.message), NFPROTO_INET,
                                           query.dump ? NLM_F_DUMP : 0, sequence);
  mnl_attr_put_strz(header, static_cast<std::uint16_t>(query.attribute), table.c_str());
  if (!query.set.empty()) {
    mnl_attr_put_strz(header, NFTA_SET_ELEM_LIST_SET, std::string(query.set).c_str());
  }
  buffer.resize(header->nlmsg_len);
  return buffer;
}

// Runs one query. False: the table (or the set) is not there, or the dump was interrupted (EINTR).
Outcome ask(NetlinkSocket& socket, const Query& query, const std::string& table,
            FunctionRef<void(const nlmsghdr&)> take) {
  const auto message = request(query, table, socket.next_sequence());
  int error = 0;
  auto on_message = [&](const nlmsghdr& header) {
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) error = EINTR;
    if (const auto code = error_of(header)) {
      if (*code != 0 && error == 0) error = *code;
    } else {
      take(header);
    }
    return true;
  };
  if (auto sent = socket.exchange(message, on_message); !sent) return sent;
  if (error != 0) return fail_errno(error, fmt::format("read table inet {}", table));
  return {};
}

// libnftnl writes some attributes only where the kernel fills them in, which differs between what
// was asked for and what is read back, and between kernels: left out, they read alike.
void cut(std::string& text, std::string_view part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
    text.erase(at, part.size());
  }
}

std::string normalised(std::string text) {
  // The default of a maximum is the minimum; the flags say only that there are addresses and ports.
  if (text.starts_with("nat ")) {
    for (const char* number : {"1", "2", "8", "9"}) {
      const std::string minimum = fmt::format("addr_min reg {}", number);
      if (text.find(minimum + " ") != std::string::npos) {
        cut(text, fmt::format(" addr_max reg {}", number));
      }
    }
    for (const char* number : {"2", "9"}) {
      const std::string minimum = fmt::format("proto_min reg {}", number);
      if (text.find(minimum + " ") != std::string::npos) {
        cut(text, fmt::format(" proto_max reg {}", number));
      }
    }
    for (const char* flags : {" flags 0x1 ", " flags 0x3 "}) cut(text, flags);
  }
  if (text.starts_with("lookup ")) cut(text, " 0x0 ");
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

int append_expression(nftnl_expr* expression, void* out) {
  const char* name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
  std::array<char, 2048> buffer{};
  const int length =
      nftnl_expr_snprintf(buffer.data(), buffer.size(), expression, NFTNL_OUTPUT_DEFAULT, 0);
  std::string text = fmt::format("{} ", text_of(name));
  if (length > 0) text += std::string_view(buffer.data());
  *static_cast<std::string*>(out) += fmt::format("[ {} ]\n", normalised(std::move(text)));
  return 0;
}

// A table's own message: flags only. Nothing where it is not there.
Result<bool> read_flags(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  auto take = [&](const nlmsghdr& header) {
    const NftnlTable parsed(nftnl_table_alloc());
    if (!parsed || nftnl_table_nlmsg_parse(&header, parsed.get()) < 0) return;
    out.exists = true;
    out.dormant = (nftnl_table_get_u32(parsed.get(), NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT) != 0;
  };
  const auto asked = ask(socket, {NFT_MSG_GETTABLE, NFTA_TABLE_NAME, false}, table, take);
  if (!asked && asked.error().os_error() != ENOENT) return fail(asked.error());
  return out.exists;
}

// The kernel dumps the chains of all tables of the family.
Outcome read_chains(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  auto take = [&](const nlmsghdr& header) {
    const NftnlChain parsed(nftnl_chain_alloc());
    if (!parsed || nftnl_chain_nlmsg_parse(&header, parsed.get()) < 0) return;
    const nftnl_chain* chain = parsed.get();
    if (text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)) != table) return;
    ChainDescription description;
    description.name = text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
    if (nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM)) {
      description.type = text_of(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE));
      description.hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
      description.priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO);
      description.policy = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY);
    }
    out.chains.push_back(std::move(description));
  };
  return ask(socket, {NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE}, table, take);
}

Outcome read_rules(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  auto take = [&](const nlmsghdr& header) {
    const NftnlRule parsed(nftnl_rule_alloc());
    if (!parsed || nftnl_rule_nlmsg_parse(&header, parsed.get()) < 0) return;
    if (text_of(nftnl_rule_get_str(parsed.get(), NFTNL_RULE_TABLE)) != table) return;
    const std::string chain = text_of(nftnl_rule_get_str(parsed.get(), NFTNL_RULE_CHAIN));
    const auto owner = std::find_if(out.chains.begin(), out.chains.end(),
                                    [&](const auto& known) { return known.name == chain; });
    if (owner == out.chains.end()) return;
    std::string text;
    nftnl_expr_foreach(parsed.get(), append_expression, &text);
    owner->rules.push_back(std::move(text));
  };
  return ask(socket, {NFT_MSG_GETRULE, NFTA_RULE_TABLE}, table, take);
}

Outcome read_sets(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  auto take = [&](const nlmsghdr& header) {
    const NftnlSet parsed(nftnl_set_alloc());
    if (!parsed || nftnl_set_nlmsg_parse(&header, parsed.get()) < 0) return;
    const nftnl_set* set = parsed.get();
    if (text_of(nftnl_set_get_str(set, NFTNL_SET_TABLE)) != table) return;
    SetDescription description;
    description.name = text_of(nftnl_set_get_str(set, NFTNL_SET_NAME));
    description.flags = nftnl_set_get_u32(set, NFTNL_SET_FLAGS);
    // An anonymous set lives and dies with its rule, which is compared by itself.
    if ((description.flags & NFT_SET_ANONYMOUS) != 0) return;
    description.key_type = nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE);
    description.key_length = nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN);
    description.data_type = nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE);
    description.data_length = nftnl_set_get_u32(set, NFTNL_SET_DATA_LEN);
    description.size = nftnl_set_get_u32(set, NFTNL_SET_DESC_SIZE);
    nftnl_set_expr_foreach(set, append_expression, &description.expression);
    out.sets.push_back(std::move(description));
  };
  return ask(socket, {NFT_MSG_GETSET, NFTA_SET_TABLE}, table, take);
}

Outcome read_intervals(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  for (SetDescription& set : out.sets) {
    bool ours = false;
    for (const int family : {AF_INET, AF_INET6}) {
      ours |= set.name == internal_name(family) || set.name == guarded_name(family);
    }
    if (!ours || set.flags != NFT_SET_INTERVAL) continue;
    std::vector<IntervalMark> marks;
    auto take = [&](const nlmsghdr& header) {
      for_each_element(header, [&](const ElementView& element) {
        if (element.key.size() != set.key_length) return;
        if (element.key.size() != 4 && element.key.size() != 16) return;
        marks.push_back({from_bytes(element.key.data(), element.key.size()),
                         (element.flags & NFT_SET_ELEM_INTERVAL_END) != 0});
      });
    };
    const Query query{NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_TABLE, true, set.name};
    if (auto asked = ask(socket, query, table, take); !asked) return asked;
    set.elements = ranges_of(std::move(marks));
  }
  return {};
}

Outcome read_counters(NetlinkSocket& socket, const std::string& table, TableDescription& out) {
  auto take = [&](const nlmsghdr& header) {
    if (auto name = counter_name_in(header, table)) out.counters.push_back(std::move(*name));
  };
  return ask(socket, {NFT_MSG_GETOBJ, NFTA_OBJ_TABLE}, table, take);
}

Result<TableDescription> read_once(NetlinkSocket& socket, const std::string& table) {
  TableDescription out;
  const auto exists = read_flags(socket, table, out);
  if (!exists) return fail(exists.error());
  if (!*exists) return out;
  for (const auto read : {read_chains, read_rules, read_sets, read_intervals, read_counters}) {
    if (auto done = read(socket, table, out); !done) return fail(done.error());
  }
  return out;
}

}  // namespace

Result<TableDescription> read_table(NetlinkSocket& socket, const std::string& table) {
  for (unsigned attempt = 1;; ++attempt) {
    auto state = read_once(socket, table);
    // Somebody committed in between (EINTR), or took the table away (ENOENT): once more.
    const int error = state ? 0 : state.error().os_error();
    if ((error != EINTR && error != ENOENT) || attempt == kAttempts) return state;
  }
}

}  // namespace fipd::nat
