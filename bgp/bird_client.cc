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
constexpr std::size_t kMaxSessions = 256;
constexpr std::size_t kLongestSessionName = 64;  // BIRD's own limit
// Of a long answer, before others have their turn on the event loop: a millisecond at most.
constexpr std::size_t kLinesASlice = 1000;

struct Sessions {
  std::vector<BirdSession> usable;
  std::string problem;
};

Sessions bgp_sessions(const std::vector<BirdProtocol>& protocols) {
  Sessions sessions;
  for (const BirdProtocol& protocol : protocols) {
    if (protocol.proto != "BGP") continue;
    if (!is_plain_session_name(protocol.name)) {
      sessions.problem = fmt::format(
          "BIRD's session \"{}\" is left out: its name may have letters, digits and . _ : - only",
          quotable(protocol.name));
    } else if (sessions.usable.size() == kMaxSessions) {
      sessions.problem =
          fmt::format("BIRD has more than {} sessions: the rest is left out", kMaxSessions);
    } else {
      BirdSession session{protocol.name, quotable(protocol.state), quotable(protocol.since),
                          quotable(protocol.info)};
      sessions.usable.push_back(std::move(session));
    }
  }
  return sessions;
}

BirdOptions for_bulk(BirdOptions options) {
  options.timeout = std::max(options.timeout, options.bulk_timeout);
  return options;
}

}  // namespace

bool is_plain_session_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == ':';
  };
  return !name.empty() && name.size() <= kLongestSessionName &&
         std::all_of(name.begin(), name.end(), plain);
}

// The questions; each holds the conversation, never the client, so that the client may go.
class BirdClient::Conversation {
 public:
  Conversation(asio::any_io_executor executor, BirdOptions options)
      : connection_(std::make_shared<BirdConnection>(executor, options)),
        bulk_(std::make_shared<BirdConnection>(executor, for_bulk(std::move(options)))) {}

  void shut_down() {
    connection_->shut_down();
    bulk_->shut_down();
  }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  static asio::awaitable<Result<BirdSnapshot>> look(std::shared_ptr<Conversation> self) {
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

  static asio::awaitable<Result<std::vector<std::string>>> exported_by(
      std::shared_ptr<Conversation> self, IpAddress address) {
    BirdQueue::Place place(self->connection_->queue(), self->connection_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    Result<std::vector<std::string>> names = co_await self->ask_exported(address);
    if (!names) self->problem_ = names.error().message();
    co_return names;
  }

  static asio::awaitable<Result<std::vector<IpAddress>>> exported(
      std::shared_ptr<Conversation> self, std::string session) {
    if (!is_plain_session_name(session)) {
      co_return fail(ErrorCode::kBadInput, "no session's name for a command: \"{}\"",
                     quotable(session));
    }
    BirdQueue::Place place(self->bulk_->queue(), self->bulk_->executor());
    if (!co_await place.turn()) co_return fail(ErrorCode::kUnavailable, "cancelled");
    const std::string command = fmt::format("show route exported '{}'", session);
    Result<BirdReply> reply = co_await self->bulk_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()).within(command));
    Result<std::vector<IpAddress>> addresses = co_await self->host_addresses(*reply);
    if (!addresses) co_return fail(std::move(addresses.error()).within(command));
    co_return addresses;
  }

 private:
  asio::awaitable<Result<std::vector<IpAddress>>> host_addresses(const BirdReply& reply) {
    Result<ExportedRows> rows = ExportedRows::in(reply);
    std::vector<IpAddress> addresses;
    // Taken out of BIRD's configuration.
    if (!rows && rows.error().code() == ErrorCode::kNotFound) co_return addresses;
    if (!rows) co_return fail(std::move(rows.error()));
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

  asio::awaitable<Result<Sessions>> ask_sessions() {
    const std::string command = "show protocols";
    Result<BirdReply> reply = co_await connection_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()));
    Result<std::vector<BirdProtocol>> protocols = parse_protocols(*reply);
    if (!protocols) co_return fail(std::move(protocols.error()).within(command));
    co_return bgp_sessions(*protocols);
  }

  asio::awaitable<Result<BirdSnapshot>> ask_snapshot() {
    const std::string command = "show status";
    Result<BirdReply> reply = co_await connection_->ask(command);
    if (!reply) co_return fail(std::move(reply.error()));
    Result<BirdStatus> status = parse_status(*reply);
    if (!status) co_return fail(std::move(status.error()).within(command));
    Result<Sessions> sessions = co_await ask_sessions();
    if (!sessions) co_return fail(std::move(sessions.error()));
    BirdSnapshot snapshot;
    snapshot.connected = true;
    snapshot.version = connection_->version();
    snapshot.problem = std::move(sessions->problem);
    snapshot.sessions = std::move(sessions->usable);
    if (status->recovering) {
      snapshot.problem =
          "BIRD recovers from a restart: it announces again when its neighbours are back, or when "
          "its \"graceful restart wait\" is over";
    }
    co_return snapshot;
  }

  asio::awaitable<Result<std::vector<std::string>>> ask_exported(IpAddress address) {
    Result<Sessions> sessions = co_await ask_sessions();
    if (!sessions) co_return fail(std::move(sessions.error()));
    const Prefix wanted(address, host_prefix_length(address));
    std::vector<std::string> names;
    for (const BirdSession& session : sessions->usable) {
      if (!session.established()) continue;
      const std::string command =
          fmt::format("show route exported '{}' {}", session.name, wanted.to_string());
      Result<BirdReply> reply = co_await connection_->ask(command);
      if (!reply) co_return fail(std::move(reply.error()));
      Result<std::vector<Prefix>> exported = parse_exported(*reply);
      // Taken out of BIRD's configuration since we asked for the sessions.
      if (!exported && exported.error().code() == ErrorCode::kNotFound) continue;
      if (!exported) co_return fail(std::move(exported.error()).within(command));
      const bool has = std::find(exported->begin(), exported->end(), wanted) != exported->end();
      if (has) names.push_back(session.name);
    }
    co_return names;
  }

  std::shared_ptr<BirdConnection> connection_;
  std::shared_ptr<BirdConnection> bulk_;
  std::string problem_;
};

BirdClient::BirdClient(asio::any_io_executor executor, BirdOptions options)
    : conversation_(std::make_shared<Conversation>(std::move(executor), std::move(options))) {}

BirdClient::~BirdClient() { conversation_->shut_down(); }

asio::awaitable<Result<BirdSnapshot>> BirdClient::look() {
  return Conversation::look(conversation_);
}

asio::awaitable<Result<std::vector<std::string>>> BirdClient::exported_by(IpAddress address) {
  return Conversation::exported_by(conversation_, address);
}

asio::awaitable<Result<std::vector<IpAddress>>> BirdClient::exported(std::string session) {
  return Conversation::exported(conversation_, std::move(session));
}

const std::string& BirdClient::problem() const { return conversation_->problem(); }

}  // namespace fipd::bgp
