#include "daemon/diagnosis.h"

#include <algorithm>

namespace fipd {
namespace {

using bgp::BirdChannel;
using bgp::BirdLayout;
using bgp::BirdProtocol;
using bgp::BirdRoute;

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view family_word(const IpAddress& address) { return address.is_v4() ? "IPv4" : "IPv6"; }

std::string filter_of(const std::string& name) {
  return name.empty() || name == "(unnamed)" ? "filter" : "filter " + name;
}

// The kernel protocols that could have brought it.
std::vector<const BirdProtocol*> kernels_for(const BirdLayout& layout, const IpAddress& address) {
  std::vector<const BirdProtocol*> kernels;
  for (const BirdProtocol& each : layout.kernels()) {
    if (channel_for(each, address) != nullptr) kernels.push_back(&each);
  }
  return kernels;
}

Finding hidden(std::uint32_t protocol, std::uint32_t metric) {
  return {Cause::kHidden, false,
          fmt::format("a stranger's route to it (protocol {}, metric {}) stands before ours in our "
                      "table, and BIRD takes only the first: delete it (ip route show table ...)",
                      protocol, metric)};
}

Finding rejected(const BirdProtocol& kernel, const BirdChannel& channel, bool certain) {
  const std::string filter = filter_of(channel.import_filter);
  if (certain) {
    return {Cause::kImportFilter, false,
            fmt::format("BIRD's import {} of {} rejects it: is it in fipd_pools4 and fipd_pools6 "
                        "of fipd-local.conf?",
                        filter, kernel.name)};
  }
  return {Cause::kImportFilter, false,
          fmt::format("BIRD has read the kernel's table and not taken it: the import {} of {} "
                      "rejects it, most likely; is it in fipd_pools4 and fipd_pools6 of "
                      "fipd-local.conf?",
                      filter, kernel.name)};
}

Finding why_not_learned(const Evidence& evidence, const BirdLayout& layout, unsigned protocol) {
  const auto kernels = kernels_for(layout, evidence.address);
  if (kernels.empty()) {
    return {Cause::kKernelDown, false,
            fmt::format("no kernel protocol of BIRD learns {}: include fipd.conf in bird.conf, or "
                        "name yours in [bird] kernel_protocols",
                        family_word(evidence.address))};
  }
  const auto up = std::find_if(kernels.begin(), kernels.end(),
                               [](const BirdProtocol* each) { return is_up(*each); });
  if (up == kernels.end()) {
    const BirdProtocol& kernel = *kernels.front();
    return {
        Cause::kKernelDown, false,
        fmt::format("BIRD's kernel protocol {} is in state {}, not up{}", kernel.name, kernel.state,
                    kernel.state == "start" ? ": another one reads the same table" : "")};
  }
  if (evidence.stranger) return hidden(evidence.stranger->protocol, evidence.stranger->metric);
  for (const BirdRoute& route : evidence.filtered) {
    const BirdProtocol* kernel = layout.kernel(route.source);
    if (kernel == nullptr) continue;
    if (route.kernel_source != protocol) return hidden(route.kernel_source, route.kernel_metric);
    const BirdChannel* channel = channel_for(*kernel, evidence.address);
    if (channel != nullptr) return rejected(*kernel, *channel, true);
  }
  if (evidence.read_since) {
    return rejected(**up, *channel_for(**up, evidence.address), false);
  }
  return {Cause::kNotLearned, false, "BIRD has not learned it from the kernel yet"};
}

// In the table that the session takes its routes from.
Finding why_not_there(const BirdLayout& layout, const BirdProtocol& session,
                      const BirdChannel& channel, const BirdRoute& elsewhere) {
  const BirdProtocol* pipe = layout.pipe(elsewhere.table, channel.table);
  if (pipe == nullptr) {
    return {Cause::kPipe, true,
            fmt::format("BIRD has it in {}, but session {} takes from {}, and no pipe joins them",
                        elsewhere.table, session.name, channel.table)};
  }
  return {Cause::kPipe, true,
          fmt::format("the pipe {} ({}) does not take it from {} into {}", pipe->name, pipe->state,
                      elsewhere.table, channel.table)};
}

Finding why_not_best(const Evidence& evidence, const BirdChannel& channel, const BirdRoute& ours) {
  for (const BirdRoute& each : evidence.routes) {
    if (each.table != channel.table || !each.best) continue;
    return {Cause::kPreference, true,
            fmt::format("in BIRD's table {} the route from {} (preference {}) wins over ours "
                        "(preference {}): set fipd_preference, or the preference of the kernel "
                        "protocol's channel, back to 200",
                        channel.table, each.source, each.preference, ours.preference)};
  }
  return {Cause::kPreference, true,
          fmt::format("ours is not the best route in BIRD's table {}", channel.table)};
}

Finding why_not_exported(const Evidence& evidence, const BirdLayout& layout,
                         const BirdProtocol& session) {
  if (!session.established()) {
    return {Cause::kSessionDown, true,
            fmt::format("session {} is {}: {}", session.name, session.state, said_of(session))};
  }
  const BirdChannel* channel = channel_for(session, evidence.address);
  if (channel == nullptr || channel->state == "DOWN") {
    return {Cause::kNoChannel, true,
            fmt::format("session {} carries no {}", session.name, family_word(evidence.address))};
  }
  const BirdRoute* elsewhere = nullptr;
  const BirdRoute* ours = nullptr;
  for (const BirdRoute& each : evidence.routes) {
    if (!is_ours(each, layout)) continue;
    (each.table == channel->table ? ours : elsewhere) = &each;
  }
  if (ours == nullptr) return why_not_there(layout, session, *channel, *elsewhere);
  if (!ours->best) return why_not_best(evidence, *channel, *ours);
  for (const auto& [name, passes] : evidence.would_export) {
    if (name != session.name || passes) continue;
    return {Cause::kExportFilter, true,
            fmt::format("the export {} of session {} rejects it", filter_of(channel->export_filter),
                        session.name)};
  }
  if (channel->export_limit_hit) {
    return {Cause::kExportLimit, true,
            fmt::format("session {} has hit its export limit: raise fipd_max_routes in "
                        "fipd-local.conf",
                        session.name)};
  }
  return {Cause::kPending, true, fmt::format("BIRD has not announced it to {} yet", session.name)};
}

// Of the other family than the session, the hop is taken for the neighbour's own, too.
bool passes_on_itself(const BirdProtocol& session, const std::string& hop) {
  return session.neighbor == hop ||
         (session.neighbor.find(':') == std::string::npos) != (hop.find(':') == std::string::npos);
}

}  // namespace

bool is_ours(const BirdRoute& route, const BirdLayout& layout) {
  return layout.kernel(route.source) != nullptr;
}

Finding diagnose(const Evidence& evidence, const BirdLayout& layout, unsigned protocol) {
  const bool learned =
      std::any_of(evidence.routes.begin(), evidence.routes.end(),
                  [&layout](const BirdRoute& each) { return is_ours(each, layout); });
  if (!learned) return why_not_learned(evidence, layout, protocol);
  // What an established session misses is told before a session that is down.
  const BirdProtocol* missing = nullptr;
  const std::vector<const BirdProtocol*> sessions = layout.sessions_for(evidence.address);
  for (const BirdProtocol* each : sessions) {
    if (contains(evidence.exported, each->name)) continue;
    const bool worse = missing == nullptr || (each->established() && !missing->established());
    if (worse) missing = each;
  }
  if (layout.sessions().empty()) {
    return {Cause::kPending, true, "BIRD has it, and no BGP session takes from its table"};
  }
  if (sessions.empty()) {
    return {Cause::kNoChannel, true,
            fmt::format("no BGP session of BIRD carries {}", family_word(evidence.address))};
  }
  if (missing == nullptr) return {Cause::kPending, true, ""};
  return why_not_exported(evidence, layout, *missing);
}

std::vector<std::string> others_in(const std::vector<BirdRoute>& routes, const BirdLayout& layout) {
  std::vector<std::string> others;
  for (const BirdRoute& each : routes) {
    if (!contains(layout.bgp(), each.source)) continue;
    const BirdProtocol* session = layout.session(each.source);
    const std::string& hop = each.next_hop.empty() ? each.via : each.next_hop;
    std::string who = hop;
    if (!each.originator.empty()) {
      who = each.originator;
    } else if (session != nullptr && passes_on_itself(*session, hop) && !each.origin_as.empty()) {
      // The neighbour is the next hop: the AS is all that is known of the host behind it.
      who = fmt::format("AS{} behind {}", each.origin_as, hop);
    }
    if (!who.empty() && !contains(others, who)) others.push_back(who);
  }
  return others;
}

}  // namespace fipd
