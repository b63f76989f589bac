#include "daemon/control/handlers.h"

#include <boost/asio/this_coro.hpp>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "daemon/control/render.h"
#include "daemon/control/request_body.h"
#include "daemon/control/streams.h"
#include "daemon/observe/metrics.h"

namespace fipd::control {
namespace {

using boost::asio::awaitable;

Reply show_reply(const std::vector<FloatingIpReport>& rows) {
  boost::json::object json = to_json(rows.front());
  boost::json::array conflicts;
  for (std::size_t i = 1; i < rows.size(); ++i) conflicts.push_back(to_json(rows[i]));
  json["conflicts"] = std::move(conflicts);
  return json_reply(200, json);
}

}  // namespace

Reply json_reply(unsigned status, const boost::json::object& json) {
  Reply reply;
  reply.status = status;
  reply.body = boost::json::serialize(json) + "\n";
  return reply;
}

Reply error_reply(unsigned status, std::string_view code, std::string_view message) {
  Reply reply;
  reply.status = status;
  reply.body = error_body(code, message);
  return reply;
}

Reply error_reply(const Error& error) {
  const WireError wire = wire_error(error.code());
  return error_reply(wire.status, wire.code, error.message());
}

Reply error_reply(const RouteError& error) {
  Reply reply = error_reply(error.status, error.code, error.message);
  reply.allow = error.allow;
  return reply;
}

awaitable<Reply> Handlers::answer(Route route, std::string body) {
  switch (route.endpoint) {
    case Endpoint::kStatus:
      co_await service_.read_counters();
      co_return json_reply(200, to_json(service_.status()));
    case Endpoint::kPeers:
      co_return json_reply(200, peers_json(service_.status().bird));
    case Endpoint::kList:
      co_return co_await list(route.counters);
    case Endpoint::kShow:
      co_return co_await show(route.floating);
    case Endpoint::kBatch:
    case Endpoint::kPut:
    case Endpoint::kDelete:
    case Endpoint::kForwards:
      co_return co_await change(std::move(route), std::move(body));
    case Endpoint::kEvents:
      co_return co_await events();
    case Endpoint::kReload:
      co_return co_await reload();
    case Endpoint::kAccept:
      co_return co_await accept(std::move(route.source));
    case Endpoint::kDrain:
    case Endpoint::kUndrain:
      co_return co_await drain(std::move(route), std::move(body));
    case Endpoint::kDrainReport:
      co_return co_await drain_report(route.connections);
    case Endpoint::kMetrics:
      co_return co_await metrics();
    case Endpoint::kOptions:
      break;
  }
  Reply reply;
  reply.status = 204;
  reply.allow = route.allow;
  co_return reply;
}

awaitable<Reply> Handlers::metrics() {
  co_await service_.read_counters();
  Reply reply;
  reply.type = kMetricsType;
  reply.body = render_metrics(service_.status());
  co_return reply;
}

awaitable<Reply> Handlers::list(bool counters) {
  if (counters) co_await service_.read_counters();
  std::vector<IpAddress> addresses = co_await service_.addresses();
  Reply reply;
  reply.stream = std::make_shared<ListingSource>(service_, std::move(addresses), counters);
  co_return reply;
}

awaitable<Reply> Handlers::show(IpAddress floating) {
  co_await service_.read_counters();
  std::vector<FloatingIpReport> rows = co_await service_.inspect(floating);
  if (rows.empty()) {
    co_return error_reply(
        Error(ErrorCode::kNotFound, fmt::format("no source has a floating IP {}", floating)));
  }
  rows.front().traffic = service_.traffic(floating);
  co_return show_reply(rows);
}

awaitable<Reply> Handlers::events() {
  const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
  Reply reply;
  reply.type = "application/x-ndjson";
  reply.stream = std::make_shared<EventSource>(executor, service_.events(), unsent_bytes_);
  co_return reply;
}

awaitable<Result<DrainRequest>> Handlers::drain_request(std::string body) {
  if (body.size() <= kParseInline) co_return drain_from_json(body);
  auto work = [text = std::move(body)] { return drain_from_json(text); };
  co_return co_await background_.run(std::move(work));
}

awaitable<Reply> Handlers::drain(Route route, std::string body) {
  Result<DrainRequest> request = co_await drain_request(std::move(body));
  if (!request) co_return error_reply(request.error());
  const bool drained = route.endpoint == Endpoint::kDrain;
  const tl::expected<void, ChangeFailure> done =
      co_await service_.drain(std::move(*request), drained);
  if (!done) co_return failure_reply(done.error());
  co_return co_await drain_report(false);
}

awaitable<Reply> Handlers::drain_report(bool with_connections) {
  const DrainReport report = co_await service_.drain_report(with_connections);
  co_return json_reply(200, to_json(report));
}

awaitable<Reply> Handlers::reload() {
  const Result<std::vector<std::string>> needing = co_await service_.reload();
  if (!needing) co_return error_reply(needing.error());
  boost::json::array names;
  for (const std::string& name : *needing) names.push_back(boost::json::value(name));
  boost::json::object json;
  json["needs_restart"] = std::move(names);
  co_return json_reply(200, json);
}

awaitable<Reply> Handlers::accept(std::string source) {
  const Result<std::size_t> accepted = co_await service_.accept(std::move(source));
  if (!accepted) co_return error_reply(accepted.error());
  boost::json::object json;
  json["accepted"] = *accepted;
  co_return json_reply(200, json);
}

}  // namespace fipd::control
