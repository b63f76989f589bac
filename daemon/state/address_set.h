#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_set.hpp>

#include "daemon/base/address.h"

namespace fipd {

using AddressHashSet = boost::unordered_flat_set<IpAddress, AddressHash>;

// A set that is nearly always one address and sometimes a hundred thousand (all instances behind
// one bridge): small without a hash table, and never linear.
class AddressSet {
 public:
  void insert(const IpAddress& address) {
    if (many_) {
      many_->insert(address);
    } else if (std::find(few_.begin(), few_.end(), address) == few_.end()) {
      few_.push_back(address);
      if (few_.size() > kFew) spill();
    }
  }

  void erase(const IpAddress& address) {
    if (many_) {
      many_->erase(address);
    } else {
      std::erase(few_, address);
    }
  }

  [[nodiscard]] bool empty() const { return many_ ? many_->empty() : few_.empty(); }

  template <typename F>
  void for_each(F visit) const {
    if (many_) {
      for (const IpAddress& address : *many_) visit(address);
    } else {
      for (const IpAddress& address : few_) visit(address);
    }
  }

 private:
  static constexpr std::size_t kFew = 16;

  void spill() {
    many_ = std::make_unique<AddressHashSet>(few_.begin(), few_.end());
    few_ = {};
  }

  std::vector<IpAddress> few_;
  std::unique_ptr<AddressHashSet> many_;
};

}  // namespace fipd
