#pragma once

#include <string>
#include <string_view>

#include "daemon/state/binding.h"

namespace fipd {

// Where sources put what they know. On the event loop's thread.
class ClaimSink {
 public:
  virtual ~ClaimSink() = default;

  // Adds the claim, or replaces the one that the same origin has on the same floating IP.
  virtual void put(Claim claim) = 0;
  // Positive evidence that `origin` does not claim it any more: a delete, or a complete snapshot
  // without it.
  virtual void remove(const IpAddress& floating, std::string_view origin) = 0;
  // The source has given its first whole snapshot. Until every source has, what an earlier run left
  // in the kernel is not taken for orphaned.
  virtual void set_complete(unsigned rank) = 0;

  // Between begin and end nothing reaches the kernel: what is put and removed there becomes one
  // transaction, also where the source yields to the event loop in between. Nests.
  virtual void begin_batch() = 0;
  virtual void end_batch() = 0;
};

}  // namespace fipd
