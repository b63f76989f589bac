#include "daemon/sources/etcd/calico_migration.h"

#include <utility>

#include <boost/json/object.hpp>

#include "daemon/sources/etcd/calico_endpoint.h"
#include "daemon/sources/etcd/etcd_value.h"

namespace fipd {
namespace {

namespace json = boost::json;

// An endpoint as the object names it.
struct End {
  std::string host;
  std::string device;
  std::string port;
};

const json::object* object_in(const json::object& parent, std::string_view name) {
  const json::value* value = parent.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

std::string text_in(const json::object& parent, std::string_view name) {
  return text_of(parent, name).value_or("");
}

Result<End> end_of(const json::object& spec, std::string_view which) {
  const json::object* side = object_in(spec, which);
  const json::object* endpoint = side == nullptr ? nullptr : object_in(*side, "workloadEndpoint");
  if (endpoint == nullptr) {
    return fail(ErrorCode::kBadInput, "spec.{}.workloadEndpoint is no object", which);
  }
  // <namespace>/<device>
  std::string workload = text_in(*endpoint, "workloadID");
  workload.erase(0, workload.find('/') + 1);
  End end{text_in(*endpoint, "hostname"), std::move(workload), text_in(*endpoint, "endpointID")};
  if (end.host.empty() || end.device.empty() || end.port.empty()) {
    return fail(ErrorCode::kBadInput,
                "spec.{}.workloadEndpoint lacks hostname, workloadID or endpointID", which);
  }
  return end;
}

std::string key_of(const std::string& endpoints, const End& end) {
  return fmt::format("{}{}-openstack-{}-{}", endpoints, doubled(end.host), doubled(end.device),
                     doubled(end.port));
}

}  // namespace

Result<EtcdWord> decode_migration(std::string_view value, const std::string& endpoints,
                                  const std::string& host) {
  const Result<json::object> spec = spec_of(value);
  if (!spec) return fail(spec.error());
  const Result<End> source = end_of(*spec, "source");
  if (!source) return fail(source.error());
  const Result<End> target = end_of(*spec, "target");
  if (!target) return fail(target.error());
  if (source->host == target->host) {
    return fail(ErrorCode::kBadInput, "source and target are the same host");
  }
  EtcdWord word;
  if (target->host == host) {
    word.parts.push_back({key_of(endpoints, *target), Claim::Role::kTarget, source->host});
  }
  if (source->host == host) {
    word.parts.push_back({key_of(endpoints, *source), Claim::Role::kLeaving, target->host});
  }
  return word;
}

}  // namespace fipd
