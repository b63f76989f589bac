#pragma once

#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace fipd {

// Where an etcd server listens: "http://10.0.0.5:2379", "https://etcd1.example.org:2379",
// "https://[fd00::5]:2379".
struct EtcdEndpoint {
  bool tls = false;
  std::string host;  // without brackets
  std::string port;

  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const EtcdEndpoint&, const EtcdEndpoint&) = default;
};
// kBadInput with the form to write. Pure.
[[nodiscard]] Result<EtcdEndpoint> parse_endpoint(std::string_view text);

}  // namespace fipd
