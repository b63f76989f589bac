#include "daemon/sources/etcd/etcd_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <optional>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

namespace fipd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Plain = beast::tcp_stream;
using Tls = beast::ssl_stream<beast::tcp_stream>;

constexpr std::size_t kPiece = 64 * 1024;
// tcp(7): seconds, seconds, probes.
constexpr std::pair<int, int> kKeepAlive[] = {
    {TCP_KEEPIDLE, 15}, {TCP_KEEPINTVL, 5}, {TCP_KEEPCNT, 3}};

// The certificate's own words are OpenSSL's; what to look at is ours.
Error in_words(const EtcdEndpoint& endpoint, std::string_view doing, const error_code& error) {
  const std::string place = fmt::format("etcd {}", endpoint.to_string());
  if (error == beast::error::timeout) {
    return Error(ErrorCode::kTimeout, fmt::format("{}: {}: no answer in time", place, doing));
  }
  if (error == http::error::end_of_stream || error == asio::error::eof ||
      error == asio::ssl::error::stream_truncated || error == http::error::partial_message) {
    return Error(ErrorCode::kUnavailable, fmt::format("{}: closed the connection", place));
  }
  if (error.category() == asio::error::get_ssl_category()) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("{}: {}: {} (see [etcd] ca, certificate and key)", place, doing,
                             error.message()));
  }
  return Error(ErrorCode::kUnavailable, fmt::format("{}: {}: {}", place, doing, error.message()));
}

template <typename Stream>
class ConnectionOver final : public EtcdConnection {
 public:
  ConnectionOver(EtcdEndpoint endpoint, std::unique_ptr<Stream> stream)
      : endpoint_(std::move(endpoint)), stream_(std::move(stream)) {}

  asio::awaitable<Result<EtcdAnswer>> ask(EtcdRequest request,
                                          std::chrono::milliseconds timeout) override {
    Outcome sent = co_await send(std::move(request), timeout);
    if (!sent) co_return fail(std::move(sent).error());
    Result<EtcdAnswer> answer = co_await whole_answer();
    co_return answer;
  }

  asio::awaitable<Result<EtcdAnswer>> begin(EtcdRequest request,
                                            std::chrono::milliseconds timeout) override {
    Outcome sent = co_await send(std::move(request), timeout);
    if (!sent) co_return fail(std::move(sent).error());
    // Its length has no limit, only what is held of it at a time.
    stream_parser_.emplace();
    stream_parser_->body_limit(boost::none);
    error_code error;
    co_await http::async_read_header(*stream_, buffer_, *stream_parser_,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(in_words(endpoint_, "read", error));
    EtcdAnswer answer;
    answer.status = stream_parser_->get().result_int();
    if (answer.status == 200) co_return answer;
    Result<std::string> words = co_await more(timeout);
    if (words) answer.body = std::move(*words);
    co_return answer;
  }

  asio::awaitable<Result<std::string>> more(std::chrono::milliseconds timeout) override {
    std::string piece(kPiece, '\0');
    auto& body = stream_parser_->get().body();
    body.data = piece.data();
    body.size = piece.size();
    body.more = true;
    error_code error;
    beast::get_lowest_layer(*stream_).expires_after(timeout);
    // read_some returns when anything has come, and not only when the piece is full.
    while (!error && body.size == kPiece && !stream_parser_->is_done()) {
      co_await http::async_read_some(*stream_, buffer_, *stream_parser_,
                                     asio::redirect_error(asio::use_awaitable, error));
    }
    if (error == http::error::need_buffer) error = {};
    piece.resize(kPiece - body.size);
    if (error) co_return fail(in_words(endpoint_, "read", error));
    if (piece.empty()) co_return fail(in_words(endpoint_, "read", http::error::end_of_stream));
    co_return piece;
  }

  void close() override { beast::get_lowest_layer(*stream_).close(); }

 private:
  asio::awaitable<Outcome> send(EtcdRequest request, std::chrono::milliseconds timeout) {
    http::request<http::string_body> message(http::verb::post, request.path, 11);
    message.set(http::field::host, endpoint_.host);
    message.set(http::field::content_type, "application/json");
    if (!request.token.empty()) message.set(http::field::authorization, request.token);
    message.body() = std::move(request.body);
    message.prepare_payload();
    beast::get_lowest_layer(*stream_).expires_after(timeout);
    error_code error;
    co_await http::async_write(*stream_, message, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return fail(in_words(endpoint_, "send", error));
    co_return success();
  }

  asio::awaitable<Result<EtcdAnswer>> whole_answer() {
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMostEtcdAnswer);
    error_code error;
    co_await http::async_read(*stream_, buffer_, parser,
                              asio::redirect_error(asio::use_awaitable, error));
    if (error == http::error::body_limit) {
      co_return fail(ErrorCode::kLimit, "etcd {}: an answer of more than {} bytes",
                     endpoint_.to_string(), kMostEtcdAnswer);
    }
    if (error) co_return fail(in_words(endpoint_, "read", error));
    EtcdAnswer answer;
    answer.status = parser.get().result_int();
    answer.body = std::move(parser.get().body());
    co_return answer;
  }

  EtcdEndpoint endpoint_;
  std::unique_ptr<Stream> stream_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::buffer_body>> stream_parser_;
};

asio::awaitable<Outcome> shake_hands(Tls& stream, const EtcdEndpoint& endpoint) {
  // The name for a server that has certificates for several; an address is none.
  error_code error;
  asio::ip::make_address(endpoint.host, error);
  if (error && SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str()) != 1) {
    co_return fail(ErrorCode::kBadInput, "etcd {}: not a host name", endpoint.to_string());
  }
  stream.set_verify_callback(asio::ssl::host_name_verification(endpoint.host), error);
  if (error) co_return fail(in_words(endpoint, "verify", error));
  co_await stream.async_handshake(asio::ssl::stream_base::client,
                                  asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return fail(in_words(endpoint, "TLS", error));
  co_return success();
}

asio::awaitable<Outcome> connect(Plain& stream, const EtcdEndpoint& endpoint) {
  error_code error;
  asio::ip::tcp::resolver resolver(stream.get_executor());
  const auto found = co_await resolver.async_resolve(
      endpoint.host, endpoint.port, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return fail(in_words(endpoint, "look up its name", error));
  co_await stream.async_connect(found, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return fail(in_words(endpoint, "connect", error));
  // Small questions that wait for their answer.
  stream.socket().set_option(asio::ip::tcp::no_delay(true), error);
  // A path that swallows everything without a FIN: the kernel gives up after some 30 s.
  stream.socket().set_option(asio::socket_base::keep_alive(true), error);
  const int fd = stream.socket().native_handle();
  for (const auto& [option, value] : kKeepAlive) {
    (void)::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
  }
  co_return success();
}

}  // namespace

asio::awaitable<Result<std::unique_ptr<EtcdConnection>>> EtcdConnection::open(
    asio::any_io_executor executor, EtcdEndpoint endpoint, std::shared_ptr<asio::ssl::context> tls,
    std::chrono::milliseconds timeout) {
  if (!endpoint.tls) {
    auto stream = std::make_unique<Plain>(executor);
    stream->expires_after(timeout);
    Outcome connected = co_await connect(*stream, endpoint);
    if (!connected) co_return fail(std::move(connected).error());
    co_return std::make_unique<ConnectionOver<Plain>>(std::move(endpoint), std::move(stream));
  }
  auto stream = std::make_unique<Tls>(executor, *tls);
  Plain& lowest = beast::get_lowest_layer(*stream);
  lowest.expires_after(timeout);
  Outcome connected = co_await connect(lowest, endpoint);
  if (connected) connected = co_await shake_hands(*stream, endpoint);
  if (!connected) co_return fail(std::move(connected).error());
  co_return std::make_unique<ConnectionOver<Tls>>(std::move(endpoint), std::move(stream));
}

}  // namespace fipd
