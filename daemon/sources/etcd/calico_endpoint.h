#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "daemon/sources/etcd/etcd_keys.h"

namespace fipd {

// networking-calico's WorkloadEndpoints of this host, which it writes for Felix (docs/calico.md):
// each entry of spec.ipNATs is a floating IP. `region` as in [calico]; "" for none. An entry that
// cannot be is left out and named; a value that is no endpoint of this host is bad as a whole.
// Its LiveMigrations say which endpoints are being migrated here, or away.
[[nodiscard]] EtcdKeys calico_keys(std::string_view region, const std::string& host);

// The spec of one of Calico's objects.
[[nodiscard]] Result<boost::json::object> spec_of(std::string_view value);

// Parts of an endpoint's name are joined by '-', and each '-' inside a part is doubled.
[[nodiscard]] std::string doubled(std::string_view part);

}  // namespace fipd
