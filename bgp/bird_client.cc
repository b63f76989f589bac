#include "bgp/bird_client.h"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bgp/bird_conversation.h"
#include "bgp/bird_reply.h"

namespace fipd::bgp {

namespace asio = boost::asio;

namespace {

// Past this, an answer to "which sessions have it" would take longer than anybody waits.
constexpr std::size_t kMaxProtocols = 256;
// Of a long answer, before others have their turn on the event loop: a millisecond at most.
constexpr std::size_t kLinesASlice = 1000;

struct Protocols {
  std::vector<BirdProtocol> usable;  // BGP, kernel and pipe
  std::string problem;
};

bool has_plain_tables(const BirdProtocol& protocol) {
  return std::all_of(protocol.channels.begin(), protocol.channels.end(),
                     [](const BirdChannel& channel) {
                       return channel.table.empty() || is_plain_name(channel.table);
                     });
}

Protocols usable(std::vector<BirdProtocol> protocols) {
  Protocols chosen;
  for (BirdProtocol& protocol : protocols) {
    const bool matters =
        protocol.proto == "BGP" || protocol.proto == "Kernel" || protocol.proto == "Pipe";
    if (!matters) continue;
    if (!is_plain_name(protocol.name) || !has_plain_tables(protocol)) {
      chosen.problem = fmt::format(
          "BIRD's protocol \"{}\" is left out: its name and that of its table may have letters, "
          "digits and . _ : - only",
          quotable(protocol.name));
    } else if (chosen.usable.size() == kMaxProtocols) {
      chosen.problem =
          fmt::format("BIRD has more than {} protocols: the rest is left out", kMaxProtocols);
    } else {
      chosen.usable.push_back(std::move(protocol));
    }
  }
  return chosen;
}

BirdOptions for_bulk(BirdOptions options) {
  options.timeout = std::max(options.timeout, options.bulk_timeout);
  return options;
}

std::string host_prefix(const IpAddress& address) {
  return Prefix(address, host_prefix_length(address)).to_string();
}

tl::unexpected<Error> no_name(std::string_view name) {
  return fail(ErrorCode::kBadInput, "no name for a command: \"{}\"", quotable(name));
}

}  // namespace

// The questions; each holds the conversation, never the client, so that the client may go.
class BirdClient::Conversation {
 public:
  using Self = std::shared_ptr<Conversation>;

  Conversation(asio::any_io_executor executor, BirdOptions options)
      : connection_(std::make_shared<BirdConnection>(executor, options, BirdRight::kLook)),
        nudging_(std::make_shared<BirdConnection>(executor, options, BirdRight::kChange)),
        bulk_(std::make_shared<BirdConnection>(executor, for_bulk(std::move(options)),
                                               BirdRight::kLook)) {}

  void shut_down() {
    connection_->shut_down();
    nudging_->shut_down();
    bulk_->shut_down();
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  static Answer<BirdSnapshot> look(Self self) {
    BirdQueue::Place place(self->connection_->queue(), self->connection_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    Result<BirdSnapshot> snapshot = co_await self->ask_snapshot();
    if (snapshot) {
      self->problem_ = snapshot->problem;
    } else {
      self->problem_ = snapshot.error().message();
    }
    co_return snapshot;
  }

  static Answer<std::vector<std::string>> exported_by(Self self, IpAddress address) {
    BirdQueue::Place place(self->connection_->queue(), self->connection_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    Result<std::vector<std::string>> names = co_await self->ask_exported(address);
    if (!names) self->problem_ = names.error().message();
    co_return names;
  }

  static Answer<std::vector<BirdRoute>> routes(Self self, std::string command) {
    BirdQueue::Place place(self->connection_->queue(), self->connection_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    Result<BirdReply> reply = co_await self->connection_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()).within(command));
    Result<std::vector<BirdRoute>> routes = parse_routes(*reply);
    if (!routes) co_return fail(std::move(routes.error()).within(command));
    co_return routes;
  }

  static Answer<bool> would_export(Self self, std::string session, IpAddress address) {
    if (!is_plain_name(session)) co_return no_name(session);
    const std::string command =
        fmt::format("show route export '{}' {}", session, host_prefix(address));
    Result<std::vector<BirdRoute>> passing = co_await routes(self, command);
    if (!passing && passing.error().code() == ErrorCode::kNotFound) co_return false;
    if (!passing) co_return fail(std::move(passing.error()));
    co_return !passing->empty();
  }

  static Answer<std::vector<IpAddress>> exported(Self self, std::string session,
                                                 std::string which) {
    if (!is_plain_name(session)) co_return no_name(session);
    BirdQueue::Place place(self->bulk_->queue(), self->bulk_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    const std::string command = fmt::format("show route exported '{}'{}", session, which);
    Result<BirdReply> reply = co_await self->bulk_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()).within(command));
    Result<std::vector<IpAddress>> addresses = co_await self->host_addresses(*reply);
    if (!addresses) co_return fail(std::move(addresses.error()).within(command));
    co_return addresses;
  }

  static Answer<bool> visit(Self self, std::vector<std::string> names, std::string command,
                            Visit call) {
    for (const std::string& name : names) {
      if (!is_plain_name(name)) co_return no_name(name);
    }
    BirdQueue::Place place(self->bulk_->queue(), self->bulk_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    Result<BirdReply> reply = co_await self->bulk_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()).within(command));
    Result<RouteRows> rows = RouteRows::in(*reply);
    if (!rows) co_return fail(std::move(rows.error()).within(command));
    std::vector<BirdRoute> slice;
    for (bool more = true; more;) {
      more = rows->take(kLinesASlice, slice);
      for (const BirdRoute& route : slice) {
        if (route.prefix->is_host()) call(route);
      }
      slice.clear();
      co_await asio::post(self->bulk_->executor(), asio::use_awaitable);
    }
    co_return true;
  }

  static Answer<bool> nudge(Self self, std::string protocol) {
    if (!is_plain_name(protocol)) co_return no_name(protocol);
    BirdConnection& connection = *self->nudging_;
    BirdQueue::Place place(connection.queue(), connection.executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    const Result<std::string> version = co_await connection.greet();
    if (!version) co_return fail(version.error());
    const bool old = version->starts_with("1.") || version->starts_with("2.");
    const std::string command =
        fmt::format("reload {} \"{}\"", old ? "in" : "filters in", protocol);
    const Result<BirdReply> reply = co_await connection.ask(command);
    connection.hang_up();
    constexpr unsigned kAccessDenied = 8007;
    if (!reply) co_return fail(Error(reply.error()).within(command));
    if (reply->code() == kAccessDenied) {
      co_return fail(ErrorCode::kNotPermitted,
                     "BIRD's socket is restricted: fipd cannot make it read the kernel's table");
    }
    if (!reply->ok()) co_return refused(*reply);
    co_return true;
  }

 private:
  Answer<std::vector<IpAddress>> host_addresses(const BirdReply& reply) {
    Result<ExportedRows> rows = ExportedRows::in(reply);
    std::vector<IpAddress> addresses;
    // Taken out of BIRD's configuration.
    if (!rows && rows.error().code() == ErrorCode::kNotFound) co_return addresses;
    if (!rows) co_return fail(std::move(rows.error()));
    rows->ignore(bgp_names_);
    std::vector<Prefix> slice;
    while (rows->take(kLinesASlice, slice)) {
      take_hosts(slice, addresses);
      co_await asio::post(bulk_->executor(), asio::use_awaitable);
    }
    take_hosts(slice, addresses);
    co_return addresses;
  }

  static void take_hosts(std::vector<Prefix>& slice, std::vector<IpAddress>& addresses) {
    for (const Prefix& prefix : slice) {
      if (prefix.is_host()) addresses.push_back(prefix.address());
    }
    slice.clear();
  }

  Answer<Protocols> ask_protocols(std::string command) {
    Result<BirdReply> reply = co_await connection_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()));
    Result<std::vector<BirdProtocol>> protocols = parse_protocols(*reply);
    if (!protocols) co_return fail(std::move(protocols.error()).within(command));
    co_return usable(std::move(*protocols));
  }

  Answer<BirdSnapshot> ask_snapshot() {
    const std::string command = "show status";
    Result<BirdReply> reply = co_await connection_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()));
    Result<BirdStatus> status = parse_status(*reply);
    if (!status) co_return fail(std::move(status.error()).within(command));
    const std::string in_detail = "show protocols all";
    Result<Protocols> protocols = co_await ask_protocols(in_detail);
    if (!protocols) co_return fail(std::move(protocols.error()));
    BirdSnapshot snapshot;
    snapshot.connected = true;
    snapshot.version = connection_->version();
    snapshot.problem = std::move(protocols->problem);
    snapshot.recovering = status->recovering;
    bgp_names_.clear();
    for (BirdProtocol& each : protocols->usable) {
      const bool is_session = each.proto == "BGP";
      if (is_session) bgp_names_.push_back(each.name);
      (is_session ? snapshot.sessions : snapshot.others).push_back(std::move(each));
    }
    if (status->recovering) {
      snapshot.problem =
          "BIRD recovers from a restart: it announces again when its neighbours are back, or when "
          "its \"graceful restart wait\" is over";
    }
    co_return snapshot;
  }

  Answer<std::vector<std::string>> ask_exported(IpAddress address) {
    const std::string in_short = "show protocols";
    Result<Protocols> protocols = co_await ask_protocols(in_short);
    if (!protocols) co_return fail(std::move(protocols.error()));
    const Prefix wanted(address, host_prefix_length(address));
    std::vector<std::string> others;
    for (const BirdProtocol& each : protocols->usable) {
      if (each.proto == "BGP") others.push_back(each.name);
    }
    std::vector<std::string> names;
    for (const BirdSession& session : protocols->usable) {
      if (!session.established()) continue;
      const std::string command =
          fmt::format("show route exported '{}' {}", session.name, wanted.to_string());
      Result<BirdReply> reply = co_await connection_->ask(command);
      if (!reply) co_return fail(std::move(reply.error()));
      Result<ExportedRows> rows = ExportedRows::in(*reply);
      // Taken out of BIRD's configuration since we asked for the sessions.
      if (!rows && rows.error().code() == ErrorCode::kNotFound) continue;
      if (!rows) co_return fail(std::move(rows.error()).within(command));
      rows->ignore(others);
      std::vector<Prefix> exported;
      while (rows->take(kLinesASlice, exported)) {
      }
      const bool has = std::find(exported.begin(), exported.end(), wanted) != exported.end();
      if (has) names.push_back(session.name);
    }
    co_return names;
  }

  std::shared_ptr<BirdConnection> connection_;
  std::shared_ptr<BirdConnection> nudging_;
  std::shared_ptr<BirdConnection> bulk_;
  std::vector<std::string> bgp_names_;
  std::string problem_;
};

BirdClient::BirdClient(asio::any_io_executor executor, BirdOptions options)
    : conversation_(std::make_shared<Conversation>(std::move(executor), std::move(options))) {}

BirdClient::~BirdClient() { conversation_->shut_down(); }

BirdClient::Answer<BirdSnapshot> BirdClient::look() { return Conversation::look(conversation_); }

BirdClient::Answer<std::vector<std::string>> BirdClient::exported_by(IpAddress address) {
  return Conversation::exported_by(conversation_, address);
}

BirdClient::Answer<std::vector<BirdRoute>> BirdClient::routes_of(IpAddress address) {
  return Conversation::routes(conversation_,
                              fmt::format("show route {} table all all", host_prefix(address)));
}

BirdClient::Answer<std::vector<BirdRoute>> BirdClient::filtered_of(IpAddress address) {
  return Conversation::routes(
      conversation_, fmt::format("show route filtered {} table all all", host_prefix(address)));
}

BirdClient::Answer<bool> BirdClient::would_export(std::string session, IpAddress address) {
  return Conversation::would_export(conversation_, std::move(session), address);
}

BirdClient::Answer<std::vector<IpAddress>> BirdClient::exported(std::string session) {
  return Conversation::exported(conversation_, std::move(session), "");
}

BirdClient::Answer<std::vector<IpAddress>> BirdClient::exported_below(
    std::string session, unsigned protocol, std::uint32_t metric, std::optional<IpAddress> only) {
  std::string which;
  if (only) which = " " + host_prefix(*only);
  // BIRD shows these attributes as its table has them, before the export filter.
  which += fmt::format(" where defined(krt_metric) && krt_source = {} && krt_metric < {}", protocol,
                       metric);
  return Conversation::exported(conversation_, std::move(session), std::move(which));
}

BirdClient::Answer<bool> BirdClient::visit_routes(std::string table, std::string protocol,
                                                  Visit visit) {
  return Conversation::visit(conversation_, {table, protocol},
                             fmt::format("show route table '{}' protocol '{}'", table, protocol),
                             std::move(visit));
}

BirdClient::Answer<bool> BirdClient::visit_filtered(std::string table, std::string protocol,
                                                    Visit visit) {
  return Conversation::visit(
      conversation_, {table, protocol},
      fmt::format("show route filtered table '{}' protocol '{}'", table, protocol),
      std::move(visit));
}

BirdClient::Answer<bool> BirdClient::visit_learned_by_bgp(std::string table, Visit visit) {
  return Conversation::visit(
      conversation_, {table},
      fmt::format("show route table '{}' where source = RTS_BGP && (net.len = 32 || net.len = 128)",
                  table),
      std::move(visit));
}

BirdClient::Answer<bool> BirdClient::nudge(std::string kernel_protocol) {
  return Conversation::nudge(conversation_, std::move(kernel_protocol));
}

const std::string& BirdClient::problem() const { return conversation_->problem(); }

}  // namespace fipd::bgp
