#pragma once

#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

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
  static constexpr std::size_t kRenderInline = 1000;  // elements of a dry run

 private:
  boost::asio::awaitable<Reply> list(bool counters);
  boost::asio::awaitable<Reply> show(IpAddress floating);
  boost::asio::awaitable<Reply> events();
  boost::asio::awaitable<Reply> metrics();

  // change_handlers.cc
  boost::asio::awaitable<Reply> change(Route route, std::string body);
  boost::asio::awaitable<Reply> preview(ChangeRequest request);
  boost::asio::awaitable<Result<ChangeRequest>> decoded(Route route, std::string body);
  boost::asio::awaitable<Outcome> waited(Route route, std::vector<IpAddress> put,
                                         std::vector<IpAddress> removed);
  boost::asio::awaitable<Result<DrainRequest>> drain_request(std::string body);
  boost::asio::awaitable<Reply> drain(Route route, std::string body);
  boost::asio::awaitable<Reply> drain_report(bool with_connections);
  [[nodiscard]] bool has_own_claim(const IpAddress& floating);
  // What an answer needs of a request that has been carried out.
  struct Done {
    Endpoint endpoint = Endpoint::kBatch;
    bool created = false;
    std::size_t put = 0;
    std::size_t removed = 0;
    Binding binding;  // of kPut and kForwards, as far as the request told
  };
  [[nodiscard]] static Done done_of(const Route& route, const ChangeRequest& request, bool created);
  [[nodiscard]] Reply done_reply(const Done& done);
  [[nodiscard]] Reply row_reply(const Binding& binding, bool created);

  boost::asio::awaitable<Reply> reload();
  boost::asio::awaitable<Reply> accept(std::string source);

  Service& service_;
  Background& background_;
  std::size_t unsent_bytes_;
};

[[nodiscard]] Reply json_reply(unsigned status, const boost::json::object& json);
[[nodiscard]] Reply error_reply(unsigned status, std::string_view code, std::string_view message);
[[nodiscard]] Reply error_reply(const Error& error);
[[nodiscard]] Reply error_reply(const RouteError& error);
[[nodiscard]] Reply failure_reply(const ChangeFailure& failure);

}  // namespace fipd::control
