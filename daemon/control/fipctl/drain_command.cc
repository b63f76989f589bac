#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include <boost/json/serialize.hpp>

#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/control/route.h"

namespace fipd::fipctl {
namespace {

using Clock = std::chrono::steady_clock;
using Answer = tl::expected<boost::json::value, Failure>;

constexpr std::chrono::milliseconds kBetweenLooks{300};

Result<std::string> body_of(const DrainOptions& options) {
  boost::json::object body;
  if (options.all) {
    body["all"] = true;
    return boost::json::serialize(body);
  }
  boost::json::array list;
  for (const std::string& text : options.addresses) {
    const auto address = parse_address(text);
    if (!address) return fail(address.error());
    list.push_back(boost::json::value(address->to_string()));
  }
  body["floating_ips"] = std::move(list);
  return boost::json::serialize(body);
}

std::string plural(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// "tor1 has 17 as before"; empty where all is done.
std::string missing_of(const boost::json::value& report) {
  const std::string problem = text_of(report, "problem");
  if (!problem.empty()) return problem;
  std::string text;
  const std::int64_t unwritten = number_of(report, "unwritten");
  if (unwritten > 0) text = fmt::format("{} not in the kernel yet", plural(unwritten, "route"));
  for (const boost::json::value& session : list_of(report, "sessions")) {
    const std::int64_t undrained = number_of(session, "undrained");
    if (undrained == 0) continue;
    text += fmt::format("{}{} has {} as before", text.empty() ? "" : ", ", text_of(session, "name"),
                        undrained);
  }
  return text;
}

std::string drained_text(const boost::json::value& report) {
  const std::int64_t marked = number_of(report, "marked");
  std::string text =
      fmt::format("{} drained", plural(number_of(report, "floating_ips"), "floating IP"));
  if (flag_of(report, "all")) {
    text = "the host is drained: " + text;
  } else if (marked > 0) {
    text += fmt::format(" ({} by name)", marked);
  }
  return text;
}

// One line on a terminal, written over and over.
class Progress {
 public:
  Progress() : shown_(isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (used_) fmt::print(stderr, "\r\x1b[K");
  }
  void update(const boost::json::value& report) {
    if (!shown_) return;
    used_ = true;
    fmt::print(stderr, "\r\x1b[K{}; {}", drained_text(report), missing_of(report));
    std::fflush(stderr);
  }

 private:
  bool shown_;
  bool used_ = false;
};

Answer look(const Context& context, bool connections) {
  Request request;
  request.target = fmt::format("/v1/drain?connections={}", connections);
  return context.client.call(request);
}

// The last report; an incomplete one where the time ran out.
Answer wait_for_peers(const Context& context, Clock::time_point deadline) {
  Progress progress;
  for (;;) {
    Answer report = look(context, false);
    if (!report || flag_of(*report, "complete") || Clock::now() >= deadline) return report;
    progress.update(*report);
    std::this_thread::sleep_for(std::min<Clock::duration>(kBetweenLooks, deadline - Clock::now()));
  }
}

void print(const Context& context, const boost::json::value& report, bool waited) {
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(report));
    return;
  }
  std::string text = drained_text(report);
  if (waited) text += "; every peer was told";
  if (field_of(report, "connections") != nullptr) {
    const std::int64_t open = number_of(report, "connections");
    text += fmt::format("; {} open{}", plural(open, "connection"),
                        open > 0 ? ", fipctl monitor follows them" : "");
  }
  fmt::print("{}\n", text);
}

}  // namespace

Verdict drain(const Context& context, const DrainOptions& options) {
  if (options.all == !options.addresses.empty()) {
    return Failure{ExitCode::kUsage, "write addresses, or --all for the whole host"};
  }
  const auto timeout = control::parse_timeout(options.wait.timeout);
  if (!timeout) return failure_of(Error(timeout.error()).within("--timeout"));
  const auto body = body_of(options);
  if (!body) return failure_of(body.error());
  Request request;
  request.method = "POST";
  request.target = options.undo ? "/v1/undrain" : "/v1/drain";
  request.body = *body;
  Answer report = context.client.call(request);
  if (!report) return report.error();
  const bool waits = !options.wait.state.empty();
  if (waits) {
    report = wait_for_peers(context, Clock::now() + *timeout);
    if (!report) return report.error();
    if (!flag_of(*report, "complete")) {
      return Failure{ExitCode::kWaitRanOut,
                     fmt::format("{}, but {}", drained_text(*report), missing_of(*report))};
    }
    report = look(context, true);
    if (!report) return report.error();
  }
  print(context, *report, waits);
  return {};
}

}  // namespace fipd::fipctl
