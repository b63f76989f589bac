#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/base/address.h"

namespace fipd {

// Which BGP sessions have which of our addresses. Pure; one thread. What one address costs grows
// with the sessions, never with the addresses.
class Exports {
 public:
  // For add(); the same one for the same name. At most kMostSessions: the others share the last.
  [[nodiscard]] std::size_t session(const std::string& name);
  void add(std::size_t session, const IpAddress& address);
  // These have it, and no others.
  void set(const IpAddress& address, const std::vector<std::string>& sessions);
  void forget(const IpAddress& address);
  // Keeps only the sessions of which `stays` is true.
  void keep(const std::function<bool(const std::string&)>& stays);
  void clear();
  // Room for so many addresses: a table that grows at 100,000 of them holds the event loop.
  void reserve(std::size_t addresses) { having_.reserve(addresses); }

  // Names of the sessions that have it.
  [[nodiscard]] std::vector<std::string> having(const IpAddress& address) const;
  [[nodiscard]] bool has(const IpAddress& address) const { return having_.contains(address); }
  // How many sessions have it.
  [[nodiscard]] std::size_t count(const IpAddress& address) const;
  // How many addresses that session has.
  [[nodiscard]] std::size_t had_by(const std::string& session) const;
  // How many addresses at least one session has.
  [[nodiscard]] std::size_t size() const { return having_.size(); }

 private:
  static constexpr std::size_t kMostSessions = 256;  // as many as BirdClient tells of
  using Sessions = std::bitset<kMostSessions>;

  std::vector<std::string> names_;
  std::array<std::size_t, kMostSessions> had_{};
  boost::unordered_flat_map<IpAddress, Sessions, AddressHash> having_;  // none without a session
};

}  // namespace fipd
