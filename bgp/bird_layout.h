#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bgp/bird_protocols.h"

namespace fipd::bgp {

// What an operator names where asking BIRD is not enough. Empty: find out.
struct BirdHints {
  std::vector<std::string> kernel_protocols;
  std::vector<std::string> sessions;
};

// Which of BIRD's protocols take the host routes from the kernel's table to the peers, found out
// from what BIRD says of them, not from their names. Pure; one thread.
class BirdLayout {
 public:
  BirdLayout() = default;
  // Of `protocols` those that matter, as `show protocols all` tells of them.
  BirdLayout(std::vector<BirdProtocol> protocols, const BirdHints& hints);

  // Kernel protocols that learn from a kernel table and write into none: ours, or may be.
  [[nodiscard]] const std::vector<BirdProtocol>& kernels() const { return kernels_; }
  // BGP sessions that can export a route from there, through pipes or without. All there are, where
  // no kernel protocol is known.
  [[nodiscard]] const std::vector<BirdProtocol>& sessions() const { return sessions_; }
  // Those of them that can have a route to that address.
  [[nodiscard]] std::vector<const BirdProtocol*> sessions_for(const IpAddress& address) const;
  // The tables that such a route reaches, its own first.
  [[nodiscard]] const std::vector<std::string>& tables() const { return tables_; }
  // Names of all BGP sessions: routes that they brought are somebody else's.
  [[nodiscard]] const std::vector<std::string>& bgp() const { return bgp_; }
  [[nodiscard]] const BirdProtocol* session(std::string_view name) const;
  [[nodiscard]] const BirdProtocol* kernel(std::string_view name) const;
  // The pipe that would bring a route from `from` into `into`; null: none.
  [[nodiscard]] const BirdProtocol* pipe(std::string_view from, std::string_view into) const;
  // Sentences, each with its remedy.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  void find_kernels(const std::vector<BirdProtocol>& protocols, const BirdHints& hints);
  void find_sessions(const std::vector<BirdProtocol>& protocols, const BirdHints& hints);
  [[nodiscard]] bool reaches_a_session(const BirdProtocol& kernel) const;
  [[nodiscard]] std::vector<std::string> reach(std::vector<std::string> tables) const;

  std::vector<BirdProtocol> kernels_;
  std::vector<BirdProtocol> pipes_;
  std::vector<BirdProtocol> sessions_;
  std::vector<std::string> tables_;
  std::vector<std::string> bgp_;
  std::vector<std::string> missing_;  // hints that BIRD does not know
  bool hinted_ = false;
};

// Up and in order, as the kernel protocol's state says it.
[[nodiscard]] inline bool is_up(const BirdProtocol& protocol) { return protocol.state == "up"; }

// "ipv4" or "ipv6": the channel that a route of this family takes. Null: the protocol has none.
[[nodiscard]] const BirdChannel* channel_for(const BirdProtocol& protocol,
                                             const IpAddress& address);

// False where it is known to have no channel of the family, as with a session for each family.
[[nodiscard]] bool carries(const BirdProtocol& session, const IpAddress& address);

// What BIRD says of a session that is not established, in words: "Active, Socket: Connection
// refused".
[[nodiscard]] std::string said_of(const BirdProtocol& session);

}  // namespace fipd::bgp
