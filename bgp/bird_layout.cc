#include "bgp/bird_layout.h"

#include <algorithm>
#include <utility>

namespace fipd::bgp {
namespace {

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const BirdProtocol* named(const std::vector<BirdProtocol>& protocols, std::string_view name) {
  const auto at = std::find_if(protocols.begin(), protocols.end(),
                               [name](const BirdProtocol& each) { return each.name == name; });
  return at == protocols.end() ? nullptr : &*at;
}

// A kernel protocol that writes its tables into the kernel is the operator's main one: it may well
// import, by default, what it never learns.
bool learns_only(const BirdProtocol& protocol) {
  if (protocol.proto != "Kernel" || protocol.channels.empty()) return false;
  return std::all_of(
      protocol.channels.begin(), protocol.channels.end(),
      [](const BirdChannel& channel) { return channel.can_import() && !channel.can_export(); });
}

// Whether that channel of a pipe takes routes from `from` into `into`.
bool leads(const BirdChannel& channel, std::string_view from, std::string_view into) {
  if (channel.table == from && channel.peer_table == into) return channel.can_export();
  if (channel.peer_table == from && channel.table == into) return channel.can_import();
  return false;
}

std::vector<std::string> tables_of(const std::vector<BirdProtocol>& protocols) {
  std::vector<std::string> tables;
  for (const BirdProtocol& protocol : protocols) {
    for (const BirdChannel& channel : protocol.channels) {
      if (!contains(tables, channel.table)) tables.push_back(channel.table);
    }
  }
  return tables;
}

bool exports_from(const BirdProtocol& session, const std::vector<std::string>& tables) {
  return std::any_of(session.channels.begin(), session.channels.end(),
                     [&tables](const BirdChannel& channel) {
                       return channel.can_export() && contains(tables, channel.table);
                     });
}

}  // namespace

BirdLayout::BirdLayout(std::vector<BirdProtocol> protocols, const BirdHints& hints)
    : hinted_(!hints.kernel_protocols.empty()) {
  find_kernels(protocols, hints);
  for (const BirdProtocol& each : protocols) {
    if (each.proto == "Pipe") pipes_.push_back(each);
    if (each.proto == "BGP") bgp_.push_back(each.name);
  }
  tables_ = reach(tables_of(kernels_));
  find_sessions(protocols, hints);
}

void BirdLayout::find_kernels(const std::vector<BirdProtocol>& protocols, const BirdHints& hints) {
  for (const BirdProtocol& each : protocols) {
    const bool ours = hinted_ ? contains(hints.kernel_protocols, each.name) : learns_only(each);
    if (ours) kernels_.push_back(each);
  }
  for (const std::string& name : hints.kernel_protocols) {
    if (named(kernels_, name) == nullptr) missing_.push_back(name);
  }
}

std::vector<std::string> BirdLayout::reach(std::vector<std::string> tables) const {
  for (std::size_t i = 0; i < tables.size(); ++i) {
    for (const BirdProtocol& each : pipes_) {
      for (const BirdChannel& channel : each.channels) {
        for (const std::string& into : {channel.table, channel.peer_table}) {
          if (leads(channel, tables[i], into) && !contains(tables, into)) tables.push_back(into);
        }
      }
    }
  }
  return tables;
}

void BirdLayout::find_sessions(const std::vector<BirdProtocol>& protocols, const BirdHints& hints) {
  for (const BirdProtocol& each : protocols) {
    if (each.proto != "BGP") continue;
    const bool carries = kernels_.empty() || each.channels.empty() || exports_from(each, tables_);
    const bool wanted = hints.sessions.empty() ? carries : contains(hints.sessions, each.name);
    if (wanted) sessions_.push_back(each);
  }
  for (const std::string& name : hints.sessions) {
    if (named(sessions_, name) == nullptr) missing_.push_back(name);
  }
}

std::vector<const BirdProtocol*> BirdLayout::sessions_for(const IpAddress& address) const {
  std::vector<const BirdProtocol*> sessions;
  for (const BirdProtocol& each : sessions_) {
    if (carries(each, address)) sessions.push_back(&each);
  }
  return sessions;
}

const BirdProtocol* BirdLayout::session(std::string_view name) const {
  return named(sessions_, name);
}

const BirdProtocol* BirdLayout::kernel(std::string_view name) const {
  return named(kernels_, name);
}

const BirdProtocol* BirdLayout::pipe(std::string_view from, std::string_view into) const {
  for (const BirdProtocol& each : pipes_) {
    for (const BirdChannel& channel : each.channels) {
      const bool joins = (channel.table == from && channel.peer_table == into) ||
                         (channel.table == into && channel.peer_table == from);
      if (joins) return &each;
    }
  }
  return nullptr;
}

bool BirdLayout::reaches_a_session(const BirdProtocol& kernel) const {
  std::vector<std::string> from;
  for (const BirdChannel& channel : kernel.channels) from.push_back(channel.table);
  const std::vector<std::string> tables = reach(std::move(from));
  return std::any_of(sessions_.begin(), sessions_.end(), [&tables](const BirdProtocol& session) {
    return exports_from(session, tables);
  });
}

std::vector<std::string> BirdLayout::problems() const {
  std::vector<std::string> problems;
  for (const std::string& name : missing_) {
    problems.push_back(fmt::format(
        "there is no protocol {} in BIRD: correct [bird] kernel_protocols and sessions", name));
  }
  if (kernels_.empty() && missing_.empty()) {
    problems.emplace_back(
        "no kernel protocol of BIRD learns without exporting: include fipd.conf in bird.conf, or "
        "name yours in [bird] kernel_protocols");
  }
  for (const BirdProtocol& each : kernels_) {
    // One that leads nowhere is somebody else's, or a second one that does no harm.
    if (is_up(each) || (!hinted_ && !reaches_a_session(each))) continue;
    problems.push_back(
        each.state == "start"
            ? fmt::format("kernel protocol {} is not up but in start: another one reads the same "
                          "kernel table, and BIRD has room for one; take the other away",
                          each.name)
            : fmt::format("kernel protocol {} is {}, not up: birdc enable {}", each.name,
                          each.state, each.name));
  }
  if (!kernels_.empty() && sessions_.empty()) {
    problems.push_back(fmt::format(
        "no BGP session of BIRD exports from {}: add one, or a pipe into its table (docs/bird.md)",
        tables_.empty() ? std::string("there") : fmt::format("{}", fmt::join(tables_, ", "))));
  }
  for (const BirdProtocol& each : sessions_) {
    if (each.established()) continue;
    problems.push_back(fmt::format("session {} is {}: {}", each.name, each.state, said_of(each)));
  }
  return problems;
}

const BirdChannel* channel_for(const BirdProtocol& protocol, const IpAddress& address) {
  const std::string_view name = address.is_v4() ? "ipv4" : "ipv6";
  const auto at = std::find_if(protocol.channels.begin(), protocol.channels.end(),
                               [name](const BirdChannel& each) { return each.name == name; });
  return at == protocol.channels.end() ? nullptr : &*at;
}

bool carries(const BirdProtocol& session, const IpAddress& address) {
  return session.channels.empty() || channel_for(session, address) != nullptr;
}

std::string said_of(const BirdProtocol& session) {
  // "Active        Socket: Connection refused" has BIRD's columns in it.
  std::string text;
  for (const char c : session.info) {
    if (c == ' ' && text.ends_with(' ')) continue;
    text += c;
  }
  if (!session.last_error.empty() && text.find(session.last_error) == text.npos) {
    text += (text.empty() ? "" : ", last error ") + session.last_error;
  }
  return text.empty() ? "disabled" : text;
}

}  // namespace fipd::bgp
