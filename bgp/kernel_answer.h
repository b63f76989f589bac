#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/function_ref.h"
#include "daemon/base/netlink_socket.h"
#include "daemon/base/result.h"

namespace fipd::bgp {

// The kernel's verdict on one request.
struct KernelVerdict {
  std::uint32_t sequence = 0;
  int error = 0;     // an errno; 0: done
  std::string text;  // the kernel's own sentence (extended acknowledgement), often empty
};

// From NLMSG_ERROR, and from the NLMSG_DONE in which a failed dump hides its error. Pure.
[[nodiscard]] std::optional<KernelVerdict> decode_verdict(const nlmsghdr& header);

// Asks for the kernel's sentences. Older kernels give none, and that is fine.
void want_sentences(const NetlinkSocket& socket);

using EncodeRequest = FunctionRef<void(std::vector<std::byte>& out, std::uint32_t sequence)>;

// Runs a dump until it came in one piece: one that changed underfoot (NLM_F_DUMP_INTR) may lack
// entries that were there all the time, and is repeated, with `restart` before each attempt. After
// some attempts kUnavailable. `what` opens the error: "dump links".
[[nodiscard]] Outcome run_dump(NetlinkSocket& socket, std::string_view what, EncodeRequest encode,
                               FunctionRef<void()> restart,
                               FunctionRef<void(const nlmsghdr&)> on_entry);

}  // namespace fipd::bgp
