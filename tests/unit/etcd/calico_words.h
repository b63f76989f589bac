#pragma once

#include <string>

namespace fipd {

// Objects as networking-calico writes them, for the endpoint of one port on the host rack1-c1.

inline std::string end_of_migration(const std::string& host) {
  return R"({"workloadEndpoint":{"hostname":")" + host +
         R"(","orchestratorID":"openstack","workloadID":"openstack/9a7e0868-da","endpointID":"8ab8"}})";
}

inline std::string migration(const std::string& source, const std::string& target) {
  return R"({"apiVersion":"projectcalico.org/v3","kind":"LiveMigration","metadata":{"name":"x",)"
         R"("namespace":"openstack"},"spec":{"source":)" +
         end_of_migration(source) + R"(,"target":)" + end_of_migration(target) + "}}";
}

inline std::string endpoint(const std::string& floating) {
  return R"({"spec":{"node":"rack1-c1","interfaceName":"tap9","ipNetworks":["10.65.0.13/32"],)"
         R"("ipNATs":[{"internalIP":"10.65.0.13","externalIP":")" +
         floating + R"("}]}})";
}

}  // namespace fipd
