#include "bgp/kernel_answer.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bgp/route_wire.h"

namespace fipd::bgp {
namespace {

// Each attempt restarts a read of milliseconds; somebody who changes links that fast for that long
// needs a look, not patience.
constexpr int kAttempts = 16;

std::string sentence_of(const nlmsghdr& header, const WireBody<nlmsgerr>& wire) {
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  // The refused request is quoted in between, unless the socket asked for it to be cut.
  std::size_t skip = 0;
  if ((header.nlmsg_flags & NLM_F_CAPPED) == 0 && wire.body.msg.nlmsg_len > NLMSG_HDRLEN) {
    skip = NLMSG_ALIGN(std::size_t{wire.body.msg.nlmsg_len}) - NLMSG_HDRLEN;
  }
  if (skip >= wire.attributes.size()) return {};
  std::string text;
  walk_attributes(wire.attributes.subspan(skip), [&](const WireAttribute& attribute) {
    if (attribute.type != NLMSGERR_ATTR_MSG) return;
    const auto* begin = reinterpret_cast<const char*>(attribute.payload.data());
    text.assign(begin, std::find(begin, begin + attribute.payload.size(), '\0'));
  });
  return text;
}

// Errno values are negated on the wire; anything else there is not the kernel's.
int errno_of(int wire_value) { return wire_value < 0 && wire_value > -4096 ? -wire_value : 0; }

enum class DumpEnd { kWhole, kInterrupted, kNone };

Result<DumpEnd> dump_once(NetlinkSocket& socket, EncodeRequest encode,
                          FunctionRef<void(const nlmsghdr&)> on_entry) {
  std::vector<std::byte> request;
  const std::uint32_t sequence = socket.next_sequence();
  encode(request, sequence);
  std::optional<KernelVerdict> verdict;
  bool interrupted = false;
  const Outcome sent = socket.exchange(request, [&](const nlmsghdr& header) {
    if (header.nlmsg_seq != sequence) return true;
    interrupted = interrupted || (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
    verdict = decode_verdict(header);
    if (!verdict && !interrupted) on_entry(header);
    return !verdict;
  });
  if (!sent) return fail(sent.error());
  if (!verdict) return DumpEnd::kNone;
  if (verdict->error != 0) {
    return fail_errno(verdict->error, verdict->text.empty() ? "the kernel says" : verdict->text);
  }
  return interrupted ? DumpEnd::kInterrupted : DumpEnd::kWhole;
}

}  // namespace

std::optional<KernelVerdict> decode_verdict(const nlmsghdr& header) {
  KernelVerdict verdict;
  verdict.sequence = header.nlmsg_seq;
  if (header.nlmsg_type == NLMSG_DONE) {
    if (const auto wire = read_body<int>(header)) verdict.error = errno_of(wire->body);
    return verdict;
  }
  if (header.nlmsg_type != NLMSG_ERROR) return std::nullopt;
  const auto wire = read_body<nlmsgerr>(header);
  if (!wire) return std::nullopt;
  verdict.error = errno_of(wire->body.error);
  verdict.text = sentence_of(header, *wire);
  return verdict;
}

void want_sentences(const NetlinkSocket& socket) {
  const int on = 1;
  (void)setsockopt(socket.fd(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)setsockopt(socket.fd(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
}

Outcome run_dump(NetlinkSocket& socket, std::string_view what, EncodeRequest encode,
                 FunctionRef<void()> restart, FunctionRef<void(const nlmsghdr&)> on_entry) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    restart();
    const auto end = dump_once(socket, encode, on_entry);
    if (!end) return fail(Error(end.error()).within(what));
    if (*end == DumpEnd::kWhole) return {};
    if (*end == DumpEnd::kNone) return fail(ErrorCode::kKernel, "{}: no end came", what);
  }
  return fail(ErrorCode::kUnavailable, "{}: changed underfoot {} times: see 'ip monitor all'", what,
              kAttempts);
}

}  // namespace fipd::bgp
