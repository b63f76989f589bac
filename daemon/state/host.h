#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "bgp/network.h"

namespace fipd {

// What is known of this host's links and addresses, as the last read and the events since then
// told. Pure; one thread.
class Host {
 public:
  // What was there before, if anything.
  std::optional<bgp::Link> put(const bgp::Link& link);
  std::optional<bgp::Link> remove_link(unsigned index);
  void put(const bgp::LocalAddress& address);
  void remove(const bgp::LocalAddress& address);
  void clear();

  [[nodiscard]] const bgp::Link* link(unsigned index) const;
  [[nodiscard]] const bgp::Link* link(std::string_view name) const;
  // An address of the host itself.
  [[nodiscard]] bool owns(const IpAddress& address) const;
  [[nodiscard]] bool owns(const IpAddress& address, unsigned interface) const {
    return addresses_.contains({address, interface});
  }
  // In no order.
  template <typename F>
  void for_each_link(F visit) const {
    for (const auto& [index, link] : links_) visit(link);
  }

 private:
  std::unordered_map<unsigned, bgp::Link> links_;
  std::unordered_map<std::string, unsigned> by_name_;
  // The same address may be on several interfaces.
  std::set<std::pair<IpAddress, unsigned>> addresses_;
};

}  // namespace fipd
