#include "daemon/sources/etcd/etcd_client.h"

#include <algorithm>
#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fipd {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kLongestMessage = std::size_t{32} << 20;
constexpr const char* kLogin = "/v3/auth/authenticate";

Result<std::shared_ptr<asio::ssl::context>> tls_of(const EtcdOptions& options) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  error_code error;
  const auto failed = [&](const std::filesystem::path& file) {
    return fail(ErrorCode::kBadInput, "[etcd]: {}: {}", file.string(), error.message());
  };
  if (SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION) != 1) {
    return fail(ErrorCode::kInternal, "OpenSSL without TLS 1.2");
  }
  context->set_verify_mode(asio::ssl::verify_peer, error);
  if (options.ca.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(options.ca.string(), error);
  }
  if (error) return failed(options.ca);
  if (options.certificate.empty()) return context;
  context->use_certificate_chain_file(options.certificate.string(), error);
  if (error) return failed(options.certificate);
  context->use_private_key_file(options.key.string(), asio::ssl::context::pem, error);
  if (error) return failed(options.key);
  return context;
}

// A token of the kind JWT holds the revision of the rights that it was given under: any change of
// users or roles ends it, by another word than its age does.
bool token_has_died(const EtcdAnswer& answer) {
  const auto says = [&](std::string_view words) {
    return answer.body.find(words) != std::string::npos;
  };
  return answer.status == 401 || says("invalid auth token") || says("auth store is old");
}

// "etcdserver: no leader", "leader changed", "request timed out": its member is of no use, another
// may be.
bool is_of_this_member_only(const EtcdAnswer& answer) { return answer.status >= 500; }

Error refused(const EtcdAnswer& answer, const std::string& endpoint) {
  const bool rights = answer.status == 401 || answer.status == 403;
  return Error(rights ? ErrorCode::kNotPermitted : ErrorCode::kUnavailable,
               fmt::format("etcd {}: {}", endpoint, error_words(answer.body)));
}

}  // namespace

Result<std::unique_ptr<EtcdClient>> EtcdClient::make(asio::any_io_executor executor,
                                                     EtcdOptions options) {
  std::shared_ptr<asio::ssl::context> tls;
  const bool any = std::any_of(options.endpoints.begin(), options.endpoints.end(),
                               [](const EtcdEndpoint& each) { return each.tls; });
  if (any) {
    auto made = tls_of(options);
    if (!made) return fail(std::move(made).error());
    tls = std::move(*made);
  }
  return std::unique_ptr<EtcdClient>(
      new EtcdClient(std::move(executor), std::move(options), std::move(tls)));
}

std::string EtcdClient::endpoint() const { return options_.endpoints[at_].to_string(); }

void EtcdClient::next_endpoint() {
  kept_.reset();
  // Tokens of etcd's simple kind are known to one server only.
  token_.clear();
  at_ = (at_ + 1) % options_.endpoints.size();
}

asio::awaitable<EtcdClient::Opened> EtcdClient::connect() {
  const EtcdEndpoint endpoint = options_.endpoints[at_];
  Opened opened = co_await EtcdConnection::open(executor_, endpoint, tls_, options_.timeout);
  co_return opened;
}

// By one endpoint after the other, until one answers.
asio::awaitable<Result<EtcdAnswer>> EtcdClient::ask(EtcdRequest request) {
  Result<EtcdAnswer> answer = fail(ErrorCode::kUnavailable, "[etcd] endpoints is empty");
  for (std::size_t tries = 0; tries <= options_.endpoints.size(); ++tries) {
    const bool fresh = !kept_;
    if (fresh) {
      Opened opened = co_await connect();
      if (!opened) {
        answer = fail(std::move(opened).error());
        next_endpoint();
        continue;
      }
      kept_ = std::move(*opened);
    }
    answer = co_await kept_->ask(request, options_.timeout);
    if (answer && !is_of_this_member_only(*answer)) co_return answer;
    // A kept connection that was closed may have died of old age: the same endpoint is asked once
    // more. One that is silent would only be silent again.
    const bool closed = !answer && answer.error().code() == ErrorCode::kUnavailable;
    if (answer) answer = fail(refused(*answer, endpoint()));
    kept_.reset();
    if (!answer && answer.error().code() == ErrorCode::kLimit) co_return answer;  // of any member
    if (fresh || !closed) next_endpoint();
  }
  co_return answer;
}

asio::awaitable<Outcome> EtcdClient::log_in() {
  EtcdRequest request;
  request.path = kLogin;
  request.body = login_request(options_.user, options_.password);
  Result<EtcdAnswer> answer = co_await ask(std::move(request));
  if (!answer) co_return fail(std::move(answer).error());
  if (answer->status != 200) {
    const Error error = refused(*answer, endpoint());
    co_return fail(ErrorCode::kNotPermitted, "log in as '{}': {}", options_.user, error.message());
  }
  Result<std::string> token = login_reply(answer->body);
  if (!token) co_return fail(std::move(token).error());
  token_ = std::move(*token);
  co_return success();
}

asio::awaitable<Result<std::string>> EtcdClient::call(std::string path, std::string body) {
  for (const bool last : {false, true}) {
    if (!options_.user.empty() && token_.empty()) {
      Outcome in = co_await log_in();
      if (!in) co_return fail(std::move(in).error());
    }
    EtcdRequest request;
    request.path = path;
    request.body = body;
    request.token = token_;
    Result<EtcdAnswer> answer = co_await ask(std::move(request));
    if (!answer) co_return fail(std::move(answer).error());
    if (answer->status == 200) co_return std::move(answer->body);
    const bool again = !last && !options_.user.empty() && token_has_died(*answer);
    if (!again) co_return fail(refused(*answer, endpoint()));
    token_.clear();
  }
  co_return fail(ErrorCode::kInternal, "etcd: not reached");
}

asio::awaitable<Result<std::string>> EtcdClient::range(EtcdRange range) {
  Result<std::string> body = co_await call("/v3/kv/range", to_json(range));
  co_return body;
}

asio::awaitable<Outcome> EtcdClient::write(std::vector<EtcdWrite> writes, std::int64_t lease) {
  Result<std::string> body = co_await call("/v3/kv/txn", transaction(writes, lease));
  if (!body) co_return fail(std::move(body).error());
  co_return success();
}

asio::awaitable<Result<EtcdLease>> EtcdClient::grant(std::int64_t seconds) {
  Result<std::string> body = co_await call("/v3/lease/grant", lease_request(seconds));
  if (!body) co_return fail(std::move(body).error());
  co_return lease_reply(*body);
}

asio::awaitable<Result<EtcdLease>> EtcdClient::keep_alive(std::int64_t id) {
  Result<std::string> body = co_await call("/v3/lease/keepalive", keepalive_request(id));
  if (!body) co_return fail(std::move(body).error());
  co_return lease_reply(*body);
}

asio::awaitable<Result<std::unique_ptr<EtcdClient::Watch>>> EtcdClient::watch(EtcdRange range) {
  if (!options_.user.empty() && token_.empty()) {
    Outcome in = co_await log_in();
    if (!in) co_return fail(std::move(in).error());
  }
  Opened opened = co_await connect();
  if (!opened) {
    next_endpoint();
    co_return fail(std::move(opened).error());
  }
  EtcdRequest request;
  request.path = "/v3/watch";
  request.body = watch_request(range);
  request.token = token_;
  Result<EtcdAnswer> answer = co_await (*opened)->begin(std::move(request), options_.timeout);
  if (!answer) {
    next_endpoint();
    co_return fail(std::move(answer).error());
  }
  if (answer->status != 200) {
    if (token_has_died(*answer)) token_.clear();
    const Error error = refused(*answer, endpoint());
    if (is_of_this_member_only(*answer)) next_endpoint();
    co_return fail(error);
  }
  co_return std::make_unique<Watch>(std::move(*opened));
}

EtcdClient::Watch::Watch(std::unique_ptr<EtcdConnection> connection)
    : connection_(std::move(connection)), framer_(kLongestMessage) {}

asio::awaitable<Result<EtcdWatchReply>> EtcdClient::Watch::next(std::chrono::milliseconds silence) {
  std::string line;
  while (!framer_.take(line)) {
    Result<std::string> piece = co_await connection_->more(silence);
    if (!piece) co_return fail(std::move(piece).error());
    Outcome fed = framer_.feed(*piece);
    if (!fed) co_return fail(std::move(fed).error());
  }
  co_return watch_reply(line);
}

}  // namespace fipd
