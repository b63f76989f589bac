// What others did to links, addresses, routes and rules: every event only marks what to look at.
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/base/process.h"
#include "daemon/reconcile/reconciler.h"

namespace fipd {

void Reconciler::link_changed(const bgp::Link& link) {
  const auto before = host_.put(link);
  metadata_.link_changed(link);
  if (before && *before == link) return;
  mark(bindings_.with_interface(link.name));
  if (before && before->name != link.name) mark(bindings_.with_interface(before->name));
  mark(routes_.by_interface(link.index));
  // A link that goes down takes its IPv4 routes along, without a word.
  if (before && before->up && !link.up) suspect_interface(link.index);
  if (link.up && link.carrier) {
    for (const IpAddress& floating : waiting_unnamed_) mark(floating);
  }
}

void Reconciler::link_removed(unsigned index) {
  metadata_.link_removed(index);
  forwarding_.link_removed(index);
  const auto gone = host_.remove_link(index);
  if (gone) mark(bindings_.with_interface(gone->name));
  mark(routes_.by_interface(index));
  suspect_interface(index);
}

void Reconciler::address_added(const bgp::LocalAddress& address) {
  host_.put(address);
  mark(address.address);
}

void Reconciler::address_removed(const bgp::LocalAddress& address) {
  host_.remove(address);
  mark(address.address);
  // The last address of an interface takes the interface's IPv4 routes along, without a word.
  suspect_interface(address.interface);
  mark(routes_.by_interface(address.interface));
}

void Reconciler::route_changed(const bgp::RouteEvent& event) {
  if (event.table == rules_.route_table) {
    if (!note_lost(event)) suspect_routes(describe_process(event.port));
    return;
  }
  for (const IpAddress& floating : bindings_.without_interface_in(event.destination)) {
    mark(floating);
  }
}

// One of our routes is gone: whole tables are not read for it, because IPv6 routes of a tap that is
// removed are told so one by one. False: another change, or too many of these.
bool Reconciler::note_lost(const bgp::RouteEvent& event) {
  constexpr std::size_t kMost = 1024;
  const bool ours = event.removed && event.protocol == rules_.route_protocol &&
                    event.destination.is_host() && adopted_once_;
  if (!ours || routes_suspect_ || lost_.size() >= kMost) return false;
  expect_work();
  lost_.emplace_back(event.destination.address(), event.metric);
  if (routes_culprit_.empty()) routes_culprit_ = describe_process(event.port);
  return true;
}

void Reconciler::network_overrun() {
  spdlog::warn("lost events of links and routes: reading them anew");
  expect_work();
  host_suspect_ = true;
  suspect_routes("");
  mark_all();
}

void Reconciler::foreign_commit(const nat::ForeignCommit& commit) {
  suspect_nat(fmt::format("{} (pid {})", commit.name, commit.pid));
}

void Reconciler::neighbours_changed() {
  look_at_neighbours_ = true;
  work_.notify_all();
}

void Reconciler::nat_overrun() {
  look_at_neighbours_ = true;
  spdlog::warn("lost events of nftables: reading the maps anew");
  suspect_nat("");
}

}  // namespace fipd
