#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace fipd::control {

// Who is at the other end of the socket, by the kernel's word at the time it connected.
struct PeerCredentials {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::vector<gid_t> groups;
};

struct Access {
  bool read = false;
  bool change = false;

  friend bool operator==(const Access&, const Access&) = default;
};

// Pure: root and members of `group` may do everything, others may read where `read_by_all`.
[[nodiscard]] Access access_of(const PeerCredentials& peer, std::optional<gid_t> group,
                               bool read_by_all);

// SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket.
[[nodiscard]] Result<PeerCredentials> peer_credentials(int fd);

// The group's number; none where there is no such group.
[[nodiscard]] std::optional<gid_t> find_group(const std::string& name);

}  // namespace fipd::control
