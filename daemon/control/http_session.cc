#include "daemon/control/http_session.h"

#include <sys/socket.h>

#include <exception>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace fipd::control {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::awaitable;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;

constexpr std::size_t kReadBytes = 8 << 10;
constexpr std::size_t kBufferBytes = 128 << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

class Session final : public HttpSession, public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, SessionRights rights, std::shared_ptr<Handlers> handlers,
          const HttpLimits& limits)
      : stream_(std::move(socket)),
        rights_(rights),
        handlers_(std::move(handlers)),
        limits_(limits),
        buffer_(kBufferBytes) {}

  void start(std::function<void()> on_end) override {
    auto ended = [self = shared_from_this(), on_end = std::move(on_end)](std::exception_ptr bug) {
      self->close();
      on_end();
      if (bug) std::rethrow_exception(bug);
    };
    asio::co_spawn(stream_.get_executor(), run(), std::move(ended));
  }

  void finish() override {
    last_ = true;
    if (!answering_ || (source_ && source_->endless())) abort();
  }

  void abort() override {
    aborted_ = true;
    if (source_) source_->cancel();
    close();
  }

 private:
  awaitable<void> run();
  awaitable<bool> serve_one();
  awaitable<bool> request_begins();
  awaitable<Reply> reply_to(Parser& parser);
  awaitable<std::optional<Reply>> read_body(Parser& parser);
  awaitable<bool> send(const Reply& reply, bool keep);
  awaitable<bool> send_stream(const Reply& reply, bool chunked);
  awaitable<bool> write(std::string_view bytes);
  awaitable<void> drain();
  [[nodiscard]] std::optional<Reply> refusal(const tl::expected<Route, RouteError>& route) const;
  [[nodiscard]] std::optional<Reply> complaint(const error_code& problem) const;
  [[nodiscard]] std::string head_of(const Reply& reply, bool keep) const;
  void watch_for_hangup();
  void close() {
    error_code ignored;
    stream_.socket().close(ignored);
  }

  boost::beast::basic_stream<asio::generic::stream_protocol> stream_;
  SessionRights rights_;
  std::shared_ptr<Handlers> handlers_;
  HttpLimits limits_;
  boost::beast::flat_buffer buffer_;
  std::shared_ptr<BodySource> source_;  // of the answer that is being sent
  bool served_one_ = false;
  bool answering_ = false;  // a request's head has been read, and its answer is not all sent
  bool last_ = false;       // no further request
  bool aborted_ = false;
  // Of the request at hand.
  bool head_ = false;
  bool old_version_ = false;  // HTTP/1.0: no chunks
  bool unread_ = false;       // there is more of it that nobody will read
};

awaitable<void> Session::run() {
  bool open = true;
  if (rights_.overloaded) {
    const std::string text = fmt::format(
        "all {} places for clients are taken; close a connection, or try again", limits_.clients);
    const Reply reply = error_reply(503, "overloaded", text);
    unread_ = true;
    open = co_await send(reply, false);
  }
  while (open && !aborted_) open = co_await serve_one();
  if (unread_ && !aborted_) co_await drain();
}

awaitable<bool> Session::serve_one() {
  const bool begins = co_await request_begins();
  if (!begins) co_return false;
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  parser.body_limit(limits_.request_bytes);
  stream_.expires_after(limits_.request);
  error_code problem;
  co_await http::async_read_header(stream_, buffer_, parser,
                                   asio::redirect_error(asio::use_awaitable, problem));
  head_ = parser.get().method() == http::verb::head;
  old_version_ = parser.get().version() < 11;
  unread_ = true;
  if (problem) {
    const std::optional<Reply> reply = complaint(problem);
    if (reply) co_await send(*reply, false);
    unread_ = reply.has_value();
    co_return false;
  }
  answering_ = true;
  const Reply reply = co_await reply_to(parser);
  served_one_ = true;
  const bool endless = reply.stream && reply.stream->endless();
  if (aborted_ || (last_ && endless)) co_return false;
  const bool keep = !last_ && !unread_ && parser.get().keep_alive();
  const bool kept = co_await send(reply, keep);
  answering_ = false;
  co_return kept && !last_;
}

awaitable<bool> Session::request_begins() {
  if (buffer_.size() > 0) co_return true;  // pipelined
  stream_.expires_after(served_one_ ? limits_.idle : limits_.request);
  error_code problem;
  const std::size_t count = co_await stream_.async_read_some(
      buffer_.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, problem));
  buffer_.commit(count);
  co_return !problem;
}

// Looks at the head before it takes the body: who may not change anything does not send 16 MiB.
awaitable<Reply> Session::reply_to(Parser& parser) {
  const auto method = parser.get().method_string();
  const auto target = parser.get().target();
  const auto route = parse_route({method.data(), method.size()}, {target.data(), target.size()});
  std::optional<Reply> refused = refusal(route);
  unread_ = !parser.is_done();
  if (refused) co_return std::move(*refused);
  std::optional<Reply> unreadable = co_await read_body(parser);
  if (unreadable) co_return std::move(*unreadable);
  unread_ = false;
  std::string body = std::move(parser.get().body());
  co_return co_await handlers_->answer(*route, std::move(body));
}

awaitable<std::optional<Reply>> Session::read_body(Parser& parser) {
  std::optional<Reply> reply;
  if (parser.is_done()) co_return reply;
  if (parser.get()[http::field::expect] == "100-continue") {
    const bool sent = co_await write(kContinue);
    if (!sent) aborted_ = true;
    stream_.expires_after(limits_.request);
  }
  error_code problem;
  co_await http::async_read(stream_, buffer_, parser,
                            asio::redirect_error(asio::use_awaitable, problem));
  if (problem) {
    reply = complaint(problem);
    if (!reply) aborted_ = true;
    if (!reply) reply = Reply();
  }
  co_return reply;
}

std::optional<Reply> Session::refusal(const tl::expected<Route, RouteError>& route) const {
  if (!rights_.access.read) {
    return error_reply(403, "not_permitted", "only root and members of fipd's group may do this");
  }
  if (!route) return error_reply(route.error());
  if (rights_.metrics_only && route->endpoint != Endpoint::kMetrics) {
    return error_reply(404, "not_found", "there is only /metrics here");
  }
  if (changes(route->endpoint) && !rights_.access.change) {
    return error_reply(403, "not_permitted",
                       "only root and members of fipd's group may change anything");
  }
  return std::nullopt;
}

// The answer to a request that could not be read; none where there is nobody to answer.
std::optional<Reply> Session::complaint(const error_code& problem) const {
  if (problem == http::error::body_limit) {
    return error_reply(413, "request_too_large",
                       fmt::format("a request has at most {} bytes", limits_.request_bytes));
  }
  if (problem == http::error::header_limit || problem == http::error::buffer_overflow) {
    return error_reply(431, "header_too_large",
                       fmt::format("a request's head has at most {} bytes", limits_.header_bytes));
  }
  if (problem == http::error::end_of_stream || problem == http::error::partial_message) return {};
  const bool is_http = problem.category() == make_error_code(http::error::bad_method).category();
  if (!is_http) return {};  // timed out, or gone
  return error_reply(400, "bad_input", fmt::format("this is not HTTP/1: {}", problem.message()));
}

std::string Session::head_of(const Reply& reply, bool keep) const {
  const auto reason = http::obsolete_reason(http::int_to_status(reply.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nServer: fipd/" FIPD_VERSION "\r\n",
                                 reply.status, std::string_view(reason.data(), reason.size()));
  if (!reply.allow.empty()) head += fmt::format("Allow: {}\r\n", reply.allow);
  if (reply.stream || !reply.body.empty()) {
    head += fmt::format("Content-Type: {}\r\nCache-Control: no-store\r\n", reply.type);
  }
  if (reply.stream) {
    if (!old_version_) head += "Transfer-Encoding: chunked\r\n";
  } else if (reply.status != 204) {
    head += fmt::format("Content-Length: {}\r\n", reply.body.size());
  }
  if (!keep) head += "Connection: close\r\n";
  if (keep && old_version_) head += "Connection: keep-alive\r\n";
  return head += "\r\n";
}

awaitable<bool> Session::send(const Reply& reply, bool keep) {
  if (reply.stream && old_version_) keep = false;  // its end is the end of the connection
  std::string bytes = head_of(reply, keep);
  if (!head_) bytes += reply.body;
  source_ = reply.stream;
  bool sent = co_await write(bytes);
  if (sent && reply.stream && !head_) sent = co_await send_stream(reply, !old_version_);
  if (source_) source_->cancel();
  source_.reset();
  co_return sent&& keep;
}

awaitable<bool> Session::send_stream(const Reply& reply, bool chunked) {
  if (reply.stream->endless()) {
    reply.stream->on_overflow([this] { close(); });
    watch_for_hangup();
  }
  std::string piece = co_await reply.stream->next();
  while (!piece.empty()) {
    if (aborted_) co_return false;
    if (chunked) piece = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
    const bool sent = co_await write(piece);
    if (!sent) co_return false;
    piece = co_await reply.stream->next();
  }
  // An event stream has no good end: its last chunk must not look like one.
  if (reply.stream->endless()) co_return false;
  if (!chunked) co_return true;
  co_return co_await write("0\r\n\r\n");
}

// Only an answer that may stay unread for long needs to notice that nobody is there any more.
void Session::watch_for_hangup() {
  auto hung_up = [weak = weak_from_this()](const error_code& problem) {
    const auto self = weak.lock();
    if (problem || !self || !self->source_) return;
    self->abort();
  };
  stream_.socket().async_wait(Socket::wait_error, std::move(hung_up));
}

awaitable<bool> Session::write(std::string_view bytes) {
  if (source_ && source_->endless()) {
    stream_.expires_never();  // its limit is the bytes, not the time
  } else {
    stream_.expires_after(limits_.progress);
  }
  error_code problem;
  co_await asio::async_write(stream_, asio::buffer(bytes.data(), bytes.size()),
                             asio::redirect_error(asio::use_awaitable, problem));
  co_return !problem;
}

// A client that is still sending sees our answer only if we do not close under its hands.
awaitable<void> Session::drain() {
  error_code problem;
  stream_.socket().shutdown(Socket::shutdown_send, problem);
  stream_.expires_after(limits_.linger);
  buffer_.clear();
  while (!problem) {
    const std::size_t count = co_await stream_.async_read_some(
        buffer_.prepare(kBufferBytes), asio::redirect_error(asio::use_awaitable, problem));
    if (count == 0) break;
  }
}

}  // namespace

std::shared_ptr<HttpSession> HttpSession::make(Socket socket, SessionRights rights,
                                               std::shared_ptr<Handlers> handlers,
                                               const HttpLimits& limits) {
  return std::make_shared<Session>(std::move(socket), rights, std::move(handlers), limits);
}

}  // namespace fipd::control
