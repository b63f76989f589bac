#include "daemon/sources/etcd/etcd_endpoint.h"

#include <boost/url/parse.hpp>

#include "daemon/state/suggestion.h"

namespace fipd {

std::string EtcdEndpoint::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "",
                     port);
}

Result<EtcdEndpoint> parse_endpoint(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kBadInput, "'{}' is not an endpoint: write \"https://etcd1:2379\"",
                printable(text));
  };
  const auto url = boost::urls::parse_uri(text);
  if (!url || url->has_userinfo() || url->has_query() || url->has_fragment()) return bad();
  if (url->scheme() != "http" && url->scheme() != "https") return bad();
  if (!url->path().empty() && url->path() != "/") return bad();
  const std::string host(url->host_address());
  if (host.empty() || host.size() > 253) return bad();
  EtcdEndpoint endpoint;
  endpoint.tls = url->scheme() == "https";
  endpoint.host = host;
  endpoint.port = url->has_port() ? std::string(url->port()) : "2379";
  if (endpoint.port.empty() || (url->has_port() && url->port_number() == 0)) return bad();
  return endpoint;
}

}  // namespace fipd
