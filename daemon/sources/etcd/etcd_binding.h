#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/sources/etcd/etcd_keys.h"

namespace fipd {

// A value under /fipd/v1/host/<host>/fip/ (docs/etcd.md): a binding, and which end of a change this
// host is. Pure. Members that are not known are ignored, unlike everywhere else: a newer
// controller may write them.
struct EtcdRecord {
  Binding binding;
  Claim::Role role = Claim::Role::kServing;
  std::string peer;

  friend bool operator==(const EtcdRecord&, const EtcdRecord&) = default;
};
[[nodiscard]] Result<EtcdRecord> record_of(std::string_view value);
// Whose it is, also where record_of() fails, if that much can be read.
[[nodiscard]] std::optional<IpAddress> floating_of(std::string_view value);

// "rack 1" -> "rack%201": a name as a part of a key.
[[nodiscard]] std::string escaped(std::string_view name);

// fipd's own keys for this host; `prefix` is "/fipd/v1/" or what takes its place.
[[nodiscard]] EtcdKeys fipd_keys(const std::string& prefix, std::string_view host);

}  // namespace fipd
