#include "nat/nft_table.h"

#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <set>

#include "nat/attributes.h"
#include "nat/ruleset.h"
#include "nat/ruleset_state.h"

namespace fipd::nat {
namespace {

// A refused batch of 100,000 elements asked one by one answers with as many errors of some 800
// bytes of buffer each.
constexpr int kReceiveBuffer = 128 << 20;
constexpr int kSendBuffer = 32 << 20;
constexpr unsigned kWrites = 3;  // of the skeleton, before we believe that it cannot be
constexpr std::size_t kMaxTableName = 64;

bool is_table_name(std::string_view name) {
  const auto letter = [](unsigned char c) { return std::isalpha(c) != 0 || c == '_'; };
  const auto inner = [&](unsigned char c) {
    return letter(c) || std::isdigit(c) != 0 || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= kMaxTableName &&
         letter(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), inner);
}

std::vector<int> netfilter_sockets() {
  constexpr int kHighest = 1024;  // sockets opened at start have low numbers
  std::vector<int> out;
  for (int fd = 0; fd < kHighest; ++fd) {
    int domain = 0;
    int protocol = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_NETLINK) continue;
    if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0) continue;
    if (protocol == NETLINK_NETFILTER) out.push_back(fd);
  }
  return out;
}

// libnftables leaves its socket without a port until it first sends: give it one now. 0: failed.
std::uint32_t bound_port(int fd) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(fd, generic, length) < 0 || getsockname(fd, generic, &length) < 0) return 0;
  return address.nl_pid;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

std::string text_of(const ElementChange& change) {
  const std::string name = map_name(change.map, family_of(change.key.address));
  if (change.after) {
    return fmt::format("{}: {}", name, to_string(Element{change.map, change.key, *change.after}));
  }
  return fmt::format("{}: remove {}", name, to_string(Element{change.map, change.key, {}}));
}

std::set<std::size_t> maps_of(std::span<const ElementChange> changes) {
  std::set<std::size_t> out;
  for (const ElementChange& change : changes) {
    out.insert(map_index(change.map, change.key.address.is_v6()));
  }
  return out;
}

}  // namespace

void NftTable::FreeContext::operator()(nft_ctx* context) const { nft_ctx_free(context); }

NftTable::NftTable(std::string table, NetlinkSocket socket)
    : table_(std::move(table)), socket_(std::move(socket)), encoder_(table_) {}

NftTable::~NftTable() = default;

Result<std::unique_ptr<NftTable>> NftTable::open(std::string table) {
  if (!is_table_name(table)) {
    return fail(ErrorCode::kBadInput,
                "'{}' is no name for an nft table: use letters, digits, '_', '-' and '.'",
                table.substr(0, kMaxTableName));
  }
  NetlinkOptions options;
  options.receive_buffer = kReceiveBuffer;
  options.send_buffer = kSendBuffer;
  auto socket = NetlinkSocket::open(NETLINK_NETFILTER, options);
  if (!socket) return fail(std::move(socket.error()).within("nftables"));
  // Errors without a copy of the message that they are about, which may have 64 kB.
  const int on = 1;
  if (setsockopt(socket->fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0) {
    return fail_errno(errno, "nftables: short acknowledgements");
  }
  std::unique_ptr<NftTable> out(new NftTable(std::move(table), std::move(*socket)));
  // libnftables does not tell which socket is its own: it is the one that was not there before.
  const std::vector<int> before = netfilter_sockets();
  out->context_.reset(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!out->context_) return fail_errno(errno, "open libnftables");
  for (const int fd : netfilter_sockets()) {
    if (std::find(before.begin(), before.end(), fd) == before.end()) {
      out->context_port_ = bound_port(fd);
    }
  }
  nft_ctx_buffer_output(out->context_.get());
  nft_ctx_buffer_error(out->context_.get());
  return out;
}

std::vector<std::uint32_t> NftTable::ports() const {
  std::vector<std::uint32_t> out{socket_.port()};
  if (context_port_ != 0) out.push_back(context_port_);
  return out;
}

Outcome NftTable::run(const std::string& commands) {
  errno = 0;
  const int status = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  const int number = errno;
  // Reading the buffers empties them; unread they would grow with every command.
  (void)nft_ctx_get_output_buffer(context_.get());
  std::string words = nft_ctx_get_error_buffer(context_.get());
  if (status == 0) return {};
  while (!words.empty() && std::isspace(static_cast<unsigned char>(words.back())) != 0) {
    words.pop_back();
  }
  return fail(Error::from_errno(number == 0 ? EINVAL : number,
                                fmt::format("nft table inet {}: {}", table_, words)));
}

Result<std::string> NftTable::ensure_ruleset(const RulesetOptions& asked) {
  if (asked.table != table_) {
    return fail(ErrorCode::kInternal, "this is table inet {}, not {}", table_, asked.table);
  }
  if (auto possible = check(asked); !possible) return fail(possible.error());
  std::string found;
  std::uint32_t generation_before = 0;
  for (unsigned writes = 0;; ++writes) {
    const auto actual = read_table(socket_, table_);
    if (!actual) return fail(actual.error());
    const RulesetOptions options = with_sticky(asked, *actual);
    const bool known = read_back_ && read_back_->options == options;
    const TableDescription wanted = known ? read_back_->description : describe(options);
    const std::string wrong = joined(differences(wanted, *actual));
    if (wrong.empty()) return found;
    if (found.empty()) found = wrong;
    const auto generation_now = generation();
    if (!generation_now) return fail(generation_now.error());
    if (writes == kWrites) {
      if (*generation_now != generation_before + 1) {
        return fail(ErrorCode::kKernel, "nft table inet {} does not become as it should be: {}",
                    table_, wrong);
      }
      // Nobody has written since we did: this is how this kernel reads our rules back.
      read_back_ = ReadBack{options, *actual};
      return found;
    }
    generation_before = *generation_now;
    if (auto written = run(render(options, *actual)); !written) return fail(written.error());
  }
}

Outcome NftTable::remove() {
  // "add" first, so that a missing table is no error.
  return run(fmt::format("add table inet {0}\ndelete table inet {0}\n", table_));
}

Result<std::vector<NftTable::Refusal>> NftTable::send(std::span<const ElementChange> changes,
                                                      ElementEncoder::Packing packing) {
  const auto batch = encoder_.encode(changes, socket_.next_sequence(), packing);
  for (std::size_t i = 1; i < encoder_.messages(); ++i) (void)socket_.next_sequence();
  std::vector<Refusal> refusals;
  auto on_message = [&](const nlmsghdr& header) {
    const auto error = error_of(header);
    if (error.value_or(0) != 0) refusals.push_back({header.nlmsg_seq, *error});
    return true;
  };
  if (auto sent = socket_.exchange(batch, on_message); !sent) return fail(sent.error());
  return refusals;
}

CommitFailure NftTable::explain(std::span<const ElementChange> changes,
                                const std::vector<Refusal>& refusals) {
  const int first = refusals.front().error;
  CommitFailure failure{
      Error::from_errno(first, fmt::format("nft table inet {}: transaction refused", table_)), {}};
  if (first == ENOENT) {
    for (const std::size_t map : maps_of(changes)) {
      const auto exists = map_exists(map);
      // Without its map no change is to blame.
      if (exists && !*exists) {
        failure.error = Error::from_errno(
            ENOENT, fmt::format("nft table inet {}: the table or a map is gone", table_));
        return failure;
      }
    }
  }
  std::vector<bool> named(changes.size());
  for (const Refusal& refusal : refusals) {
    const std::size_t index = encoder_.change_of(refusal.sequence);
    if (index == ElementEncoder::npos || named[index]) continue;
    named[index] = true;
    failure.refused.push_back({index, Error::from_errno(refusal.error, text_of(changes[index]))});
  }
  std::sort(failure.refused.begin(), failure.refused.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return failure;
}

tl::expected<void, CommitFailure> NftTable::commit(std::span<const ElementChange> changes) {
  if (changes.empty()) return {};
  using Packing = ElementEncoder::Packing;
  for (const Packing packing : {Packing::kMany, Packing::kOne}) {
    auto refusals = send(changes, packing);
    if (!refusals) {
      return tl::unexpected(CommitFailure{std::move(refusals.error()).within("nft commit"), {}});
    }
    if (refusals->empty()) return {};
    // Many elements went in one message: ask again to hear which of them it was. The batch is
    // refused whole once more, or whoever was in the way is gone and it goes through.
    if (packing == Packing::kOne || encoder_.exact()) {
      return tl::unexpected(explain(changes, *refusals));
    }
  }
  return {};
}

}  // namespace fipd::nat
