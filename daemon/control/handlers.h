#pragma once

#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "daemon/base/background.h"
#include "daemon/control/reply.h"
#include "daemon/control/route.h"
#include "daemon/control/service.h"

namespace fipd::control {

// Answers understood requests out of the Service: what the API means, with nothing of HTTP but
// status numbers. On the event loop's thread; bodies above kParseInline are parsed in background.
class Handlers {
 public:
  Handlers(Service& service, Background& background, std::size_t unsent_bytes)
      : service_(service), background_(background), unsent_bytes_(unsent_bytes) {}

  boost::asio::awaitable<Reply> answer(Route route, std::string body);

  static constexpr std::size_t kParseInline = 64 << 10;

 private:
  boost::asio::awaitable<Reply> list();
  boost::asio::awaitable<Reply> show(IpAddress floating);
  boost::asio::awaitable<Reply> events();
  boost::asio::awaitable<Reply> change(Route route, std::string body);
  boost::asio::awaitable<Result<ChangeRequest>> decoded(Route route, std::string body);
  boost::asio::awaitable<Outcome> waited(Route route, std::vector<IpAddress> floatings);
  boost::asio::awaitable<Result<DrainRequest>> drain_request(std::string body);
  boost::asio::awaitable<Reply> drain(Route route, std::string body);
  boost::asio::awaitable<Reply> drain_report(bool with_connections);
  boost::asio::awaitable<Reply> reload();
  boost::asio::awaitable<Reply> accept(std::string source);
  [[nodiscard]] bool has_own_claim(const IpAddress& floating);
  [[nodiscard]] Reply put_reply(const Binding& binding, bool created);

  Service& service_;
  Background& background_;
  std::size_t unsent_bytes_;
};

[[nodiscard]] Reply error_reply(unsigned status, std::string_view code, std::string_view message);
[[nodiscard]] Reply error_reply(const Error& error);
[[nodiscard]] Reply error_reply(const RouteError& error);

}  // namespace fipd::control
