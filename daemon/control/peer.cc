#include "daemon/control/peer.h"

#include <grp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

namespace fipd::control {

Access access_of(const PeerCredentials& peer, std::optional<gid_t> group, bool read_by_all) {
  const bool member =
      group && (peer.gid == *group ||
                std::find(peer.groups.begin(), peer.groups.end(), *group) != peer.groups.end());
  const bool trusted = peer.uid == 0 || member;
  return Access{trusted || read_by_all, trusted};
}

Result<PeerCredentials> peer_credentials(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
    return fail_errno(errno, "ask for the client's credentials (SO_PEERCRED)");
  }
  PeerCredentials peer{who.uid, who.gid, std::vector<gid_t>(32)};
  // With too small a buffer the kernel says ERANGE and the size that is needed.
  for (int attempt = 0; attempt < 2; ++attempt) {
    size = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    const int refused = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &size);
    const int error = errno;
    peer.groups.resize(size / sizeof(gid_t));
    if (refused == 0) return peer;
    if (error != ERANGE) return fail_errno(error, "ask for the client's groups (SO_PEERGROUPS)");
  }
  return fail(ErrorCode::kKernel, "the client's groups changed while they were read");
}

std::optional<gid_t> find_group(const std::string& name) {
  group entry{};
  group* found = nullptr;
  std::vector<char> buffer(64 << 10);
  if (getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr) {
    return std::nullopt;
  }
  return entry.gr_gid;
}

}  // namespace fipd::control
