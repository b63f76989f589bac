#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bgp/network.h"

namespace fipd::bgp {

// A host's network in memory, for tests: what a test sets is what there is.
class FakeNetwork : public Network {
 public:
  void set_link(const Link& link) { links_[link.index] = link; }
  // A running tap.
  void set_link(unsigned index, const std::string& name) {
    set_link(Link{index, name, true, true});
  }
  void remove_link(unsigned index) {
    links_.erase(index);
    std::erase_if(addresses_, [&](const LocalAddress& at) { return at.interface == index; });
    std::erase_if(routes_, [&](const auto& route) { return route.second == index; });
  }
  void set_address(const LocalAddress& address) { addresses_.push_back(address); }
  void remove_address(const LocalAddress& address) { std::erase(addresses_, address); }
  void set_route(const IpAddress& destination, unsigned interface) {
    routes_[destination] = interface;
  }
  void remove_route(const IpAddress& destination) { routes_.erase(destination); }
  void set_forwarding(const Forwarding& setting) { forwarding_.push_back(setting); }
  // Every read is refused with it, until nothing is.
  void fail_with(std::optional<Error> error) { error_ = std::move(error); }

  // How often something was read.
  [[nodiscard]] std::size_t reads() const { return reads_; }

  Result<std::vector<Link>> links() override {
    ++reads_;
    if (error_) return fipd::fail(*error_);
    std::vector<Link> out;
    for (const auto& [index, link] : links_) out.push_back(link);
    return out;
  }
  Result<std::vector<LocalAddress>> addresses() override {
    ++reads_;
    if (error_) return fipd::fail(*error_);
    return addresses_;
  }
  Result<std::vector<Forwarding>> forwarding() override {
    if (error_) return fipd::fail(*error_);
    return forwarding_;
  }
  Result<std::optional<unsigned>> interface_to(const IpAddress& destination) override {
    ++reads_;
    if (error_) return fipd::fail(*error_);
    const auto at = routes_.find(destination);
    // Like the kernel: no route leaves by a link that is down.
    if (at == routes_.end() || !links_.contains(at->second) || !links_.at(at->second).up) {
      return std::optional<unsigned>();
    }
    return std::optional<unsigned>(at->second);
  }

 private:
  std::map<unsigned, Link> links_;
  std::vector<LocalAddress> addresses_;
  std::vector<Forwarding> forwarding_;
  std::unordered_map<IpAddress, unsigned, AddressHash> routes_;
  std::optional<Error> error_;
  std::size_t reads_ = 0;
};

}  // namespace fipd::bgp
