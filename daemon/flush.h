#pragma once

#include "daemon/base/result.h"
#include "daemon/config.h"

namespace fipd {

// Takes everything that fipd wrote out of the kernel: first its routes, then its nftables table.
// Others' routes in the same routing table stay. For a package's purge; not while fipd runs.
[[nodiscard]] Outcome flush_kernel(const Config& config);

}  // namespace fipd
