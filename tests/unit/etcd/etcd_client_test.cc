#include "daemon/sources/etcd/etcd_client.h"

#include <functional>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <gtest/gtest.h>

namespace fipd {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using namespace std::chrono_literals;

constexpr const char* kEmpty = R"({"header":{"cluster_id":"1","revision":"7"}})";
constexpr const char* kNoLeader = R"({"error":"etcdserver: no leader","code":14})";
constexpr const char* kOldRights =
    R"({"error":"etcdserver: revision of auth store is old","code":3})";

using Request = http::request<http::string_body>;
// None: silence, with the connection open.
using Script = std::function<std::optional<EtcdAnswer>(const Request&)>;

// A server on loopback that answers as its script says.
class Member {
 public:
  Member(asio::io_context& loop, Script script)
      : script_(std::move(script)), acceptor_(loop, {asio::ip::make_address("127.0.0.1"), 0}) {
    asio::co_spawn(loop, serve(), asio::detached);
  }

  [[nodiscard]] EtcdEndpoint endpoint() const {
    EtcdEndpoint made;
    made.host = "127.0.0.1";
    made.port = std::to_string(acceptor_.local_endpoint().port());
    return made;
  }
  [[nodiscard]] int asked() const { return asked_; }

 private:
  asio::awaitable<void> serve() {
    for (;;) {
      beast::tcp_stream stream(co_await acceptor_.async_accept(asio::use_awaitable));
      asio::co_spawn(acceptor_.get_executor(), answer(std::move(stream)), asio::detached);
    }
  }

  asio::awaitable<void> answer(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    for (;;) {
      Request request;
      co_await http::async_read(stream, buffer, request, asio::use_awaitable);
      ++asked_;
      const std::optional<EtcdAnswer> said = script_(request);
      if (!said) continue;
      http::response<http::string_body> response(http::int_to_status(said->status), 11);
      response.body() = said->body;
      response.prepare_payload();
      co_await http::async_write(stream, response, asio::use_awaitable);
    }
  }

  Script script_;
  tcp::acceptor acceptor_;
  int asked_ = 0;
};

EtcdAnswer said(unsigned status, const std::string& body) {
  EtcdAnswer answer;
  answer.status = status;
  answer.body = body;
  return answer;
}

Script always(unsigned status, const std::string& body) {
  return [=](const Request&) { return said(status, body); };
}

class EtcdClientTest : public ::testing::Test {
 protected:
  void make(std::initializer_list<const Member*> members) {
    for (const Member* member : members) options_.endpoints.push_back(member->endpoint());
    options_.timeout = 200ms;
    client_ = std::move(*EtcdClient::make(loop_.get_executor(), options_));
  }

  Result<EtcdRangeReply> range() {
    std::optional<Result<std::string>> text;
    EtcdRange one;
    one.key = "ready";
    asio::co_spawn(loop_, client_->range(one), [&](std::exception_ptr, auto got) {
      text = std::move(got);
      loop_.stop();
    });
    loop_.restart();
    loop_.run();
    if (!*text) return fail(text->error());
    return range_reply(**text);
  }

  asio::io_context loop_;
  EtcdOptions options_;
  std::unique_ptr<EtcdClient> client_;
};

TEST_F(EtcdClientTest, AMemberWithoutALeaderIsFollowedByTheNextAndThatOneIsKept) {
  const Member cut_off(loop_, always(503, kNoLeader));
  const Member well(loop_, always(200, kEmpty));
  make({&cut_off, &well});
  const auto reply = range();
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->header.revision, 7);
  EXPECT_EQ(client_->endpoint(), well.endpoint().to_string());
  EXPECT_TRUE(range());
  EXPECT_EQ(cut_off.asked(), 1);
}

TEST_F(EtcdClientTest, WhereNoMemberHasALeaderTheFailureSaysSo) {
  const Member one(loop_, always(503, kNoLeader));
  make({&one});
  const auto reply = range();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(reply.error().message(),
            "etcd " + one.endpoint().to_string() + ": etcdserver: no leader");
}

TEST_F(EtcdClientTest, AMemberThatFellSilentIsNotAskedTwice) {
  bool silent = false;
  const Member hangs(loop_, [&](const Request&) {
    return silent ? std::nullopt : std::optional(said(200, kEmpty));
  });
  const Member well(loop_, always(200, kEmpty));
  make({&hangs, &well});
  ASSERT_TRUE(range());
  silent = true;
  ASSERT_TRUE(range());
  EXPECT_EQ(hangs.asked(), 2);
  EXPECT_EQ(client_->endpoint(), well.endpoint().to_string());
}

TEST_F(EtcdClientTest, ATokenFromBeforeAChangeOfRightsIsReplaced) {
  int logins = 0;
  const Member one(loop_, [&](const Request& request) {
    if (request.target() == "/v3/auth/authenticate") {
      return said(200, R"({"token":"token)" + std::to_string(++logins) + "\"}");
    }
    return request[http::field::authorization] == "token2" ? said(200, kEmpty)
                                                           : said(400, kOldRights);
  });
  options_.user = "fipd";
  make({&one});
  const auto reply = range();
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(logins, 2);
}

}  // namespace
}  // namespace fipd
