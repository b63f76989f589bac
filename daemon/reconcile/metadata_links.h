#pragma once

#include <map>
#include <string>
#include <vector>

#include "bgp/link_settings.h"
#include "daemon/state/host.h"
#include "nat/nat_table.h"

namespace fipd {

// What the host's interfaces need so that instances' calls of the metadata address arrive where
// the rules send them: route_localnet where that is a loopback address, on each interface that
// matches, existing and coming; and for IPv6 the metadata address itself, which only the operator
// can give. What cannot be is a warning. On the event loop's thread.
class MetadataLinks {
 public:
  explicit MetadataLinks(bgp::LinkSettings* settings) : settings_(settings) {}

  void configure(const nat::MetadataOptions& options, const Host& host);
  // After a read of all links.
  void links_read(const Host& host);
  void link_changed(const bgp::Link& link);
  void link_removed(unsigned index);

  [[nodiscard]] std::vector<std::string> warnings(const Host& host) const;

 private:
  struct Watched {
    std::string name;
    std::string problem;  // empty: as it should be
  };

  [[nodiscard]] bool matches(const std::string& name) const;
  // Null: none of that family.
  [[nodiscard]] const nat::Endpoint* listener(bool v4) const;
  [[nodiscard]] bool needs_localnet() const;
  void prepare(unsigned index, Watched& watched);

  bgp::LinkSettings* settings_;  // null: what is set cannot be told
  nat::MetadataOptions options_;
  std::map<unsigned, Watched> links_;  // those that match
  bool told_ = false;
};

}  // namespace fipd
