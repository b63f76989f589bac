// What NftTable reads: elements, counters, the chains of others.
#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "nat/attributes.h"
#include "nat/element_reply.h"
#include "nat/neighbours.h"
#include "nat/nft_counter.h"
#include "nat/nft_event.h"
#include "nat/nft_table.h"
#include "nat/ruleset.h"

namespace fipd::nat {
namespace {

constexpr unsigned kDumpAttempts = 5;  // one that a commit ran into is read again

}  // namespace

Result<int> NftTable::ask(std::span<const std::byte> request,
                          FunctionRef<void(const nlmsghdr&)> take) {
  int error = 0;
  auto on_message = [&](const nlmsghdr& header) {
    if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) error = EINTR;
    if (const auto code = error_of(header)) {
      if (*code != 0) error = *code;
    } else {
      take(header);
    }
    return true;
  };
  if (auto sent = socket_.exchange(request, on_message); !sent) return fail(sent.error());
  return error;
}

Outcome NftTable::dump_map(Map map, bool v6, std::vector<Element>& out) {
  const std::size_t start = out.size();
  for (unsigned attempt = 1;; ++attempt) {
    const auto request = encoder_.request(map_index(map, v6), socket_.next_sequence(), true);
    const auto error =
        ask(request, [&](const nlmsghdr& header) { decode_elements(header, map, v6, out); });
    if (!error) return fail(error.error());
    if (*error == 0) return {};
    out.resize(start);
    if (*error == ENOENT) return {};  // no table, or no map yet
    if (*error != EINTR || attempt == kDumpAttempts) {
      return fail_errno(*error, fmt::format("read map {} of table inet {}",
                                            map_name(map, v6 ? AF_INET6 : AF_INET), table_));
    }
  }
}

Result<std::vector<Element>> NftTable::dump() {
  std::vector<Element> out;
  for (unsigned kind = 0; kind < kMapKinds; ++kind) {
    for (const bool v6 : {false, true}) {
      if (auto done = dump_map(static_cast<Map>(kind), v6, out); !done) return fail(done.error());
    }
  }
  return out;
}

Result<std::vector<Traffic>> NftTable::counters() {
  std::vector<Element> read;
  for (const Map map : {Map::kReceived, Map::kSent}) {
    for (const bool v6 : {false, true}) {
      if (auto done = dump_map(map, v6, read); !done) return fail(done.error());
    }
  }
  std::sort(read.begin(), read.end(),
            [](const Element& a, const Element& b) { return a.key.address < b.key.address; });
  std::vector<Traffic> out;
  out.reserve(read.size() / 2);
  for (const Element& element : read) {
    if (out.empty() || out.back().address != element.key.address) {
      out.push_back({element.key.address, {}, {}});
    }
    const Counter& counter = std::get<Counter>(element.value);
    (element.map == Map::kSent ? out.back().sent : out.back().received) = counter;
  }
  return out;
}

Result<Counter> NftTable::untranslated() {
  Counter out;
  const auto request = counter_request(table_, kUntranslated, socket_.next_sequence());
  const auto error = ask(request, [&](const nlmsghdr& header) {
    if (const auto counter = counter_in(header)) out = *counter;
  });
  if (!error) return fail(error.error());
  if (*error != 0 && *error != ENOENT) {
    return fail_errno(*error,
                      fmt::format("read counter {} of table inet {}", kUntranslated, table_));
  }
  return out;
}

Result<std::vector<Neighbour>> NftTable::neighbours() {
  for (unsigned attempt = 1;; ++attempt) {
    std::vector<Neighbour> out;
    const auto error = ask(chain_dump(socket_.next_sequence()), [&](const nlmsghdr& header) {
      if (auto neighbour = neighbour_in(header, table_)) out.push_back(std::move(*neighbour));
    });
    if (!error) return fail(error.error());
    if (*error == 0) return out;
    if (*error != EINTR || attempt == kDumpAttempts) {
      return fail_errno(*error, "read the chains of other tables");
    }
  }
}

Result<bool> NftTable::map_exists(std::size_t map) {
  const auto error =
      ask(encoder_.request(map, socket_.next_sequence(), false), [](const nlmsghdr& /*header*/) {});
  if (!error) return fail(error.error());
  return *error == 0;
}

Result<std::uint32_t> NftTable::generation() {
  std::optional<std::uint32_t> generation;
  const auto error = ask(generation_request(socket_.next_sequence()), [&](const nlmsghdr& header) {
    if (const auto found = generation_in(header)) generation = found;
  });
  if (!error) return fail(error.error());
  if (!generation) return fail(ErrorCode::kKernel, "nftables does not tell its generation");
  return *generation;
}

}  // namespace fipd::nat
