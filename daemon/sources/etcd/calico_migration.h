#pragma once

#include <string>
#include <string_view>

#include "daemon/sources/etcd/etcd_keys.h"

namespace fipd {

// One of Calico's LiveMigration objects, which networking-calico writes before the target's
// endpoint and deletes when the migration has ended (docs/calico.md): the part of this host's
// endpoint in it, if it has one. `endpoints`: what the keys of all endpoints of its namespace begin
// with. Pure.
[[nodiscard]] Result<EtcdWord> decode_migration(std::string_view value,
                                                const std::string& endpoints,
                                                const std::string& host);

}  // namespace fipd
