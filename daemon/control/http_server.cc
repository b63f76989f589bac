#include "daemon/control/http_server.h"

#include <charconv>
#include <exception>
#include <list>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "daemon/control/http_session.h"
#include "daemon/control/peer.h"
#include "daemon/control/unix_listener.h"

namespace fipd::control {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Result<tcp::endpoint> parse_endpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = colon == text.npos ? "" : text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::uint16_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [rest, problem] = std::from_chars(port_text.data(), end, port);
  const auto address = parse_address(host);
  if (!address || problem != std::errc{} || rest != end) {
    return fail(ErrorCode::kBadInput,
                "[metrics] listen = \"{}\": write an address and a port, as in 127.0.0.1:9472",
                text);
  }
  return tcp::endpoint(*address, port);
}

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::any_io_executor executor, HttpOptions options, Service& service,
       Background& background)
      : executor_(std::move(executor)),
        options_(std::move(options)),
        handlers_(std::make_shared<Handlers>(service, background, options_.limits.unsent_bytes)),
        local_(executor_),
        metrics_(executor_),
        pause_local_(executor_),
        pause_metrics_(executor_),
        all_ended_(executor_) {}

  Outcome start();
  asio::awaitable<void> finish(std::chrono::milliseconds limit);
  void stop();
  [[nodiscard]] std::vector<std::string> warnings() const;
  [[nodiscard]] std::size_t clients() const { return local_count_; }

 private:
  using Sessions = std::list<std::weak_ptr<HttpSession>>;

  void listen_for_metrics();
  void close_listeners();
  asio::awaitable<void> accept_local();
  asio::awaitable<void> accept_metrics();
  void admit_local(UnixListener::Acceptor::protocol_type::socket socket);
  void admit_metrics(tcp::socket socket);
  void begin(HttpSession::Socket socket, const SessionRights& rights, std::size_t& count);
  void spawn(asio::awaitable<void> loop);

  asio::any_io_executor executor_;
  HttpOptions options_;
  std::shared_ptr<Handlers> handlers_;
  std::optional<gid_t> group_;
  UnixListener local_;
  tcp::acceptor metrics_;
  tcp::endpoint metrics_at_;
  std::string metrics_problem_;  // why nobody listens there; empty: somebody does
  asio::steady_timer pause_local_;
  asio::steady_timer pause_metrics_;
  asio::steady_timer all_ended_;
  Sessions sessions_;
  std::size_t local_count_ = 0;
  std::size_t metrics_count_ = 0;
  std::size_t refused_count_ = 0;
  bool stopped_ = false;
};

namespace {

// Out of file descriptors, mostly: the connection stays in the queue, so look again a bit later.
constexpr std::chrono::milliseconds kBreath{100};
// The address may come with an interface, and the port's owner may go.
constexpr std::chrono::seconds kListenAgain{1};

asio::awaitable<void> pause(asio::steady_timer& timer, std::chrono::milliseconds time) {
  timer.expires_after(time);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

Outcome HttpServer::Impl::start() {
  if (!options_.metrics_listen.empty()) {
    const auto endpoint = parse_endpoint(options_.metrics_listen);
    if (!endpoint) return fail(endpoint.error());
    metrics_at_ = *endpoint;
  }
  group_ = find_group(options_.group);
  Outcome done = local_.open(options_.path, group_, options_.read_by_all);
  if (!done) {
    local_.close();
    return done;
  }
  spawn(accept_local());
  if (!options_.metrics_listen.empty()) {
    listen_for_metrics();
    spawn(accept_metrics());
  }
  return success();
}

std::vector<std::string> HttpServer::Impl::warnings() const {
  std::vector<std::string> all;
  if (!group_) {
    all.push_back(fmt::format(
        "[control] group = \"{}\": there is no such group: only root may change anything",
        options_.group));
  }
  if (!metrics_problem_.empty()) {
    all.push_back(fmt::format("[metrics] listen = \"{}\": {}; tried again every second",
                              options_.metrics_listen, metrics_problem_));
  }
  return all;
}

// Floating IPs are worth more than their metrics: that nobody can listen there ends nothing.
void HttpServer::Impl::listen_for_metrics() {
  error_code problem;
  metrics_.open(metrics_at_.protocol(), problem);
  if (!problem) metrics_.set_option(tcp::acceptor::reuse_address(true), problem);
  if (!problem) metrics_.bind(metrics_at_, problem);
  if (!problem) metrics_.listen(asio::socket_base::max_listen_connections, problem);
  metrics_problem_ = problem ? problem.message() : "";
  if (problem) metrics_.close(problem);
}

void HttpServer::Impl::spawn(asio::awaitable<void> loop) {
  auto ended = [self = shared_from_this()](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  };
  asio::co_spawn(executor_, std::move(loop), std::move(ended));
}

asio::awaitable<void> HttpServer::Impl::accept_local() {
  while (!stopped_) {
    error_code problem;
    auto socket =
        co_await local_.acceptor().async_accept(asio::redirect_error(asio::use_awaitable, problem));
    if (stopped_) co_return;
    if (problem) {
      co_await pause(pause_local_, kBreath);
    } else {
      admit_local(std::move(socket));
    }
  }
}

asio::awaitable<void> HttpServer::Impl::accept_metrics() {
  while (!metrics_.is_open()) {
    co_await pause(pause_metrics_, kListenAgain);
    if (stopped_) co_return;
    listen_for_metrics();
  }
  while (!stopped_) {
    error_code problem;
    auto socket =
        co_await metrics_.async_accept(asio::redirect_error(asio::use_awaitable, problem));
    if (stopped_) co_return;
    if (problem) {
      co_await pause(pause_metrics_, kBreath);
    } else {
      admit_metrics(std::move(socket));
    }
  }
}

void HttpServer::Impl::admit_local(UnixListener::Acceptor::protocol_type::socket socket) {
  const auto peer = peer_credentials(socket.native_handle());
  SessionRights rights;
  if (peer) rights.access = access_of(*peer, group_, options_.read_by_all);
  rights.overloaded = local_count_ >= options_.limits.clients;
  begin(std::move(socket), rights, local_count_);
}

void HttpServer::Impl::admit_metrics(tcp::socket socket) {
  SessionRights rights;
  rights.access.read = true;
  rights.metrics_only = true;
  rights.overloaded = metrics_count_ >= options_.limits.metrics_clients;
  begin(std::move(socket), rights, metrics_count_);
}

// `count` is that of the listener; it belongs to this object, which the session's end keeps alive.
void HttpServer::Impl::begin(HttpSession::Socket socket, const SessionRights& rights,
                             std::size_t& count) {
  std::size_t& counted = rights.overloaded ? refused_count_ : count;
  // Even a refusal costs a descriptor for as long as its client reads: those have a limit, too.
  if (rights.overloaded && refused_count_ >= options_.limits.clients) return;
  ++counted;
  const auto session = HttpSession::make(std::move(socket), rights, handlers_, options_.limits);
  const auto at = sessions_.insert(sessions_.end(), session);
  session->start([self = shared_from_this(), at, &counted] {
    --counted;
    self->sessions_.erase(at);
    if (self->sessions_.empty()) self->all_ended_.cancel();
  });
}

void HttpServer::Impl::close_listeners() {
  stopped_ = true;
  local_.close();
  error_code ignored;
  metrics_.close(ignored);
  pause_local_.cancel();
  pause_metrics_.cancel();
}

asio::awaitable<void> HttpServer::Impl::finish(std::chrono::milliseconds limit) {
  close_listeners();
  for (const auto& weak : sessions_) {
    if (const auto session = weak.lock()) session->finish();
  }
  if (sessions_.empty()) co_return;
  all_ended_.expires_after(limit);
  error_code ignored;
  co_await all_ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void HttpServer::Impl::stop() {
  close_listeners();
  for (const auto& weak : sessions_) {
    if (const auto session = weak.lock()) session->abort();
  }
}

HttpServer::HttpServer(asio::any_io_executor executor, HttpOptions options, Service& service,
                       Background& background)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(options), service, background)) {}

HttpServer::~HttpServer() { impl_->stop(); }

Outcome HttpServer::start() { return impl_->start(); }

asio::awaitable<void> HttpServer::finish(std::chrono::milliseconds limit) {
  return impl_->finish(limit);
}

void HttpServer::stop() { impl_->stop(); }

std::vector<std::string> HttpServer::warnings() const { return impl_->warnings(); }

std::size_t HttpServer::clients() const { return impl_->clients(); }

}  // namespace fipd::control
