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

constexpr std::string_view kOwnSource = "api";

Reply json_reply(unsigned status, const boost::json::object& json) {
  Reply reply;
  reply.status = status;
  reply.body = boost::json::serialize(json) + "\n";
  return reply;
}

Reply failure_reply(const ChangeFailure& failure) {
  const WireError wire = wire_error(failure.error.code());
  Reply reply;
  reply.status = wire.status;
  const std::string_view code = failure.stable_code.empty() ? wire.code : failure.stable_code;
  reply.body = error_body(code, failure.error.message(), failure.floating);
  return reply;
}

std::vector<IpAddress> touched_by(const ChangeRequest& request) {
  std::vector<IpAddress> touched = request.remove;
  touched.reserve(touched.size() + request.put.size());
  for (const Binding& binding : request.put) touched.push_back(binding.floating);
  return touched;
}

Result<ChangeRequest> decode(const Route& route, std::string_view body) {
  if (route.endpoint == Endpoint::kPut) return put_from_json(body, route.floating);
  return batch_from_json(body);
}

Reply show_reply(const std::vector<FloatingIpReport>& rows) {
  boost::json::object json = to_json(rows.front());
  boost::json::array conflicts;
  for (std::size_t i = 1; i < rows.size(); ++i) conflicts.push_back(to_json(rows[i]));
  json["conflicts"] = std::move(conflicts);
  return json_reply(200, json);
}

}  // namespace

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
      co_return json_reply(200, to_json(service_.status()));
    case Endpoint::kPeers:
      co_return json_reply(200, peers_json(service_.status().bird));
    case Endpoint::kList:
      co_return co_await list();
    case Endpoint::kShow:
      co_return co_await show(route.floating);
    case Endpoint::kBatch:
    case Endpoint::kPut:
    case Endpoint::kDelete:
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
    case Endpoint::kOptions:
      break;
  }
  Reply reply;
  if (route.endpoint == Endpoint::kMetrics) {
    reply.type = kMetricsType;
    reply.body = render_metrics(service_.status());
  } else {
    reply.status = 204;
    reply.allow = route.allow;
  }
  co_return reply;
}

awaitable<Reply> Handlers::list() {
  std::vector<IpAddress> addresses = co_await service_.addresses();
  Reply reply;
  reply.stream = std::make_shared<ListingSource>(service_, std::move(addresses));
  co_return reply;
}

awaitable<Reply> Handlers::show(IpAddress floating) {
  const std::vector<FloatingIpReport> rows = co_await service_.inspect(floating);
  if (rows.empty()) {
    co_return error_reply(
        Error(ErrorCode::kNotFound, fmt::format("no source has a floating IP {}", floating)));
  }
  co_return show_reply(rows);
}

awaitable<Reply> Handlers::events() {
  const boost::asio::any_io_executor executor = co_await boost::asio::this_coro::executor;
  Reply reply;
  reply.type = "application/x-ndjson";
  reply.stream = std::make_shared<EventSource>(executor, service_.events(), unsent_bytes_);
  co_return reply;
}

awaitable<Result<ChangeRequest>> Handlers::decoded(Route route, std::string body) {
  if (route.endpoint == Endpoint::kDelete) {
    ChangeRequest request;
    request.remove.push_back(route.floating);
    co_return request;
  }
  if (body.size() <= kParseInline) co_return decode(route, body);
  auto work = [route, text = std::move(body)] { return decode(route, text); };
  co_return co_await background_.run(std::move(work));
}

awaitable<Outcome> Handlers::waited(Route route, std::vector<IpAddress> floatings) {
  if (!route.wait) co_return success();
  co_return co_await service_.wait(std::move(floatings), *route.wait, route.timeout);
}

awaitable<Reply> Handlers::change(Route route, std::string body) {
  Result<ChangeRequest> request = co_await decoded(route, std::move(body));
  if (!request) co_return error_reply(request.error());
  const bool is_put = route.endpoint == Endpoint::kPut;
  request->replace = route.replace.value_or(is_put);
  const bool created = is_put && !has_own_claim(route.floating);
  Binding binding;
  if (is_put) binding = request->put.front();
  boost::json::object summary;
  summary["put"] = request->put.size();
  summary["removed"] = request->remove.size();
  std::vector<IpAddress> touched = touched_by(*request);

  const tl::expected<void, ChangeFailure> changed = co_await service_.change(std::move(*request));
  if (!changed) co_return failure_reply(changed.error());
  const Outcome waiting = co_await waited(route, std::move(touched));
  if (!waiting && waiting.error().code() == ErrorCode::kTimeout) {
    co_return error_reply(504, "wait_timeout",
                          waiting.error().message() + "; the change itself is done");
  }
  if (!waiting) co_return error_reply(waiting.error());
  if (is_put) co_return put_reply(binding, created);
  Reply done = json_reply(200, summary);
  if (route.endpoint == Endpoint::kDelete) done = Reply();
  if (route.endpoint == Endpoint::kDelete) done.status = 204;
  co_return done;
}

bool Handlers::has_own_claim(const IpAddress& floating) {
  for (const FloatingIpReport& row : service_.rows(floating)) {
    if (row.source == kOwnSource && row.state != State::kWithdrawing) return true;
  }
  return false;
}

Reply Handlers::put_reply(const Binding& binding, bool created) {
  FloatingIpReport mine;
  mine.binding = binding;
  mine.source = kOwnSource;
  mine.state = State::kWithdrawing;
  mine.reason = "somebody removed it again at once";
  for (FloatingIpReport& row : service_.rows(binding.floating)) {
    if (row.source == kOwnSource) mine = std::move(row);
  }
  return json_reply(created ? 201 : 200, to_json(mine));
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
