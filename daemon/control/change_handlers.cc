// Handlers of what changes bindings.
#include <boost/json/object.hpp>

#include "daemon/control/handlers.h"
#include "daemon/control/render.h"
#include "daemon/control/request_body.h"

namespace fipd::control {
namespace {

using boost::asio::awaitable;

constexpr std::string_view kOwnSource = "api";

Result<ChangeRequest> decode(const Route& route, std::string_view body) {
  if (route.endpoint == Endpoint::kPut) return put_from_json(body, route.floating);
  if (route.endpoint == Endpoint::kForwards) return forwards_from_json(body, route.floating);
  return batch_from_json(body);
}

}  // namespace

Reply failure_reply(const ChangeFailure& failure) {
  const WireError wire = wire_error(failure.error.code());
  Reply reply;
  reply.status = wire.status;
  const std::string_view code = failure.stable_code.empty() ? wire.code : failure.stable_code;
  reply.body = error_body(code, failure.error.message(), failure.floating);
  return reply;
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

awaitable<Outcome> Handlers::waited(Route route, std::vector<IpAddress> put,
                                    std::vector<IpAddress> removed) {
  using Clock = std::chrono::steady_clock;
  if (!route.wait) co_return success();
  const Clock::time_point deadline = Clock::now() + route.timeout;
  Outcome there = co_await service_.wait(std::move(put), *route.wait, route.timeout);
  if (!there) co_return there;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  co_return co_await service_.wait(std::move(removed), WaitFor::kGone, left);
}

awaitable<Reply> Handlers::change(Route route, std::string body) {
  Result<ChangeRequest> request = co_await decoded(route, std::move(body));
  if (!request) co_return error_reply(request.error());
  const bool is_put = route.endpoint == Endpoint::kPut;
  request->replace = route.replace.value_or(is_put);
  if (request->forwards) request->forwards->replace = request->replace;
  if (route.dry_run) co_return co_await preview(std::move(*request));
  const Done done = done_of(route, *request, is_put && !has_own_claim(route.floating));
  std::vector<IpAddress> put = request->wanted();
  std::vector<IpAddress> removed = request->remove;

  const tl::expected<void, ChangeFailure> changed = co_await service_.change(std::move(*request));
  if (!changed) co_return failure_reply(changed.error());
  const Outcome waiting = co_await waited(route, std::move(put), std::move(removed));
  if (!waiting && waiting.error().code() == ErrorCode::kTimeout) {
    co_return error_reply(504, "wait_timeout",
                          waiting.error().message() + "; the change itself is done");
  }
  if (!waiting && waiting.error().code() == ErrorCode::kConflict) {
    co_return error_reply(409, "not_in_force", waiting.error().message());
  }
  if (!waiting) co_return error_reply(waiting.error());
  co_return done_reply(done);
}

awaitable<Reply> Handlers::preview(ChangeRequest request) {
  tl::expected<PreviewReport, ChangeFailure> told = co_await service_.preview(std::move(request));
  if (!told) co_return failure_reply(told.error());
  if (told->elements.size() < kRenderInline) co_return json_reply(200, to_json(*told));
  auto work = [report = *std::move(told)] { return json_reply(200, to_json(report)); };
  co_return co_await background_.run(std::move(work));
}

Handlers::Done Handlers::done_of(const Route& route, const ChangeRequest& request, bool created) {
  Done done;
  done.endpoint = route.endpoint;
  done.created = created;
  done.put = request.put.size();
  done.removed = request.remove.size();
  if (route.endpoint == Endpoint::kPut) done.binding = request.put.front();
  if (request.forwards) {
    done.binding.floating = route.floating;
    done.binding.extras.edit().forwards = request.forwards->add;
  }
  return done;
}

Reply Handlers::done_reply(const Done& done) {
  if (done.endpoint == Endpoint::kDelete) {
    Reply reply;
    reply.status = 204;
    return reply;
  }
  if (done.endpoint != Endpoint::kBatch) return row_reply(done.binding, done.created);
  boost::json::object summary;
  summary["put"] = done.put;
  summary["removed"] = done.removed;
  return json_reply(200, summary);
}

bool Handlers::has_own_claim(const IpAddress& floating) {
  for (const FloatingIpReport& row : service_.rows(floating)) {
    if (row.source == kOwnSource && row.state != State::kWithdrawing) return true;
  }
  return false;
}

Reply Handlers::row_reply(const Binding& binding, bool created) {
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

}  // namespace fipd::control
