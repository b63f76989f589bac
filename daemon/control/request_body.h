#pragma once

#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/control/service.h"

namespace fipd::control {

// Bodies of changes, decoded. Pure; big ones are for the background thread.

// {"floating_ips": [...], "remove": ["172.16.1.3", ...]}, either may be missing, not both.
[[nodiscard]] Result<ChangeRequest> batch_from_json(std::string_view text);

// The body of a PUT: `floating` may be left out, and has to agree with the path where it is given.
[[nodiscard]] Result<ChangeRequest> put_from_json(std::string_view text, const IpAddress& floating);

// {"all": true} or {"floating_ips": ["172.16.1.3", ...]}.
[[nodiscard]] Result<DrainRequest> drain_from_json(std::string_view text);
// {"add": ["tcp/443=10.65.0.13:8443"], "remove": ["tcp/80"]}, either may be missing, not both.
[[nodiscard]] Result<ChangeRequest> forwards_from_json(std::string_view text,
                                                       const IpAddress& floating);

}  // namespace fipd::control
