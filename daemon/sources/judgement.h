#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "daemon/control/service.h"
#include "daemon/state/address_set.h"
#include "daemon/state/bindings.h"
#include "daemon/state/derive.h"
#include "daemon/state/store.h"

namespace fipd {

inline constexpr std::string_view kApiOrigin = "api";

// What the requests of the control API are judged against.
struct ApiView {
  const Bindings& bindings;
  const Host& host;
  std::function<const DeriveRules&()> rules;
  // What else the store is to hold, where it comes back after it was away. May be null.
  std::function<std::vector<StoreChange>()> words = nullptr;
};

// Judges the requests of one group one after another: each against what is bound and what those
// accepted before it, not stored yet, will make of it. A request ends with accept() or drop(); the
// bindings that it put must stay where they are for as long as this lives. Pure; one thread.
class Judgement {
 public:
  Judgement(const ApiView& view, std::size_t most_floating_ips)
      : view_(view), most_floating_ips_(most_floating_ips) {}

  // Why not; none: the request may go on.
  [[nodiscard]] std::optional<ChangeFailure> put(const Binding& binding, bool replace);
  [[nodiscard]] std::optional<ChangeFailure> remove(const IpAddress& floating, bool must_exist);
  // Our binding of the floating IP with its forwards edited, to be put.
  [[nodiscard]] tl::expected<Binding, ChangeFailure> edited(const ForwardEdit& edit) const;

  void accept();
  void drop() { own_ = {}; }

 private:
  struct Staged {
    boost::unordered_flat_map<IpAddress, const Binding*, AddressHash> ours;  // null: removed
    AddressHashSet fixed;      // that those which are put lead to
    std::ptrdiff_t added = 0;  // floating IPs more than before, or fewer
  };

  // Of this request, of those before it, or as it is now; null: none.
  [[nodiscard]] const Binding* ours(const IpAddress& floating) const;
  [[nodiscard]] const Binding* in_force(const IpAddress& floating) const;
  [[nodiscard]] const Binding* const* staged(const IpAddress& floating) const;
  [[nodiscard]] ChangeFailure nothing_there(const IpAddress& floating) const;

  const ApiView& view_;
  std::size_t most_floating_ips_;
  Staged before_;  // the accepted requests
  Staged own_;
};

}  // namespace fipd
