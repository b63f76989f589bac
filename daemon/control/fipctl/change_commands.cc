#include <unistd.h>

#include <cstdio>

#include <boost/json/serialize.hpp>

#include "daemon/control/fipctl/binding_words.h"
#include "daemon/control/fipctl/commands.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/control/fipctl/read_file.h"
#include "daemon/control/route.h"
#include "daemon/state/document.h"
#include "daemon/state/extras_draft.h"

namespace fipd::fipctl {
namespace {

constexpr std::chrono::seconds kPatience{60};

char mark_of(const std::string& target) { return target.find('?') == target.npos ? '?' : '&'; }

// The request, with what --wait and --dry-run add to it.
Result<Request> change_request(std::string method, std::string target, const WaitOptions& wait) {
  Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (wait.dry_run) request.target += fmt::format("{}dry_run=true", mark_of(request.target));
  if (wait.state.empty()) return request;
  const auto timeout = control::parse_timeout(wait.timeout);
  if (!timeout) return fail(Error(timeout.error()).within("--timeout"));
  request.target +=
      fmt::format("{}wait={}&timeout={}ms", mark_of(request.target), wait.state, timeout->count());
  request.patience = kPatience + *timeout;
  return request;
}

// Bytes sent, then that fipd works on it; on a terminal only.
class ProgressLine {
 public:
  ProgressLine() : shown_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (shown_ && used_) fmt::print(stderr, "\r\x1b[K");
  }
  void update(std::size_t sent, std::size_t total) {
    if (!shown_) return;
    used_ = true;
    const double mega = 1024.0 * 1024.0;
    if (sent < total) {
      fmt::print(stderr, "\r\x1b[Ksending {:.1f} of {:.1f} MiB", static_cast<double>(sent) / mega,
                 static_cast<double>(total) / mega);
      return;
    }
    if (!all_sent_) since_ = std::chrono::steady_clock::now();
    all_sent_ = true;
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - since_;
    fmt::print(stderr, "\r\x1b[Ksent {:.1f} MiB, waiting for fipd ({:.0f} s)",
               static_cast<double>(total) / mega, waited.count());
  }

 private:
  bool shown_;
  bool used_ = false;
  bool all_sent_ = false;
  std::chrono::steady_clock::time_point since_;
};

void print_lines(const boost::json::value& answer, std::string_view key, std::string_view before) {
  for (const boost::json::value& line : list_of(answer, key)) {
    if (line.is_string()) fmt::print("{}{}\n", before, std::string_view(line.get_string()));
  }
}

// As a script that would do the same by hand.
Verdict print_preview(const Context& context, const boost::json::value& answer) {
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(answer));
    return {};
  }
  print_lines(answer, "notes", "# ");
  print_lines(answer, "commands", "");
  if (!list_of(answer, "commands_later").empty()) {
    fmt::print("# later, when no peer has the route any more:\n");
    print_lines(answer, "commands_later", "");
  }
  const bool nothing =
      list_of(answer, "commands").empty() && list_of(answer, "commands_later").empty();
  if (nothing) fmt::print("# nothing would be written\n");
  return {};
}

Verdict print_row(const Context& context, const boost::json::value& answer) {
  fmt::print("{}\n", context.json ? boost::json::serialize(answer) : sentence_of(answer));
  return {};
}

Verdict print_summary(const Context& context, const boost::json::value& answer,
                      std::string_view verb, std::string_view key) {
  if (context.json) {
    fmt::print("{}\n", boost::json::serialize(answer));
    return {};
  }
  const std::int64_t count = number_of(answer, key);
  fmt::print("{} {} floating IP{}\n", verb, count, count == 1 ? "" : "s");
  return {};
}

Result<std::vector<Binding>> parse_document(const std::string& text, const std::string& name) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{') return bindings_from_toml(text, name);
  auto bindings = bindings_from_json(text);
  if (bindings) return bindings;
  return fail(
      Error(bindings.error().code(), fmt::format("{}:{}", name, bindings.error().message())));
}

std::string batch_body(const std::vector<Binding>& bindings) {
  std::string body = "{\"floating_ips\":[";
  for (const Binding& binding : bindings) {
    if (body.back() == '}') body += ',';
    body += boost::json::serialize(to_json(binding));
  }
  return body += "]}";
}

}  // namespace

Verdict add(const Context& context, const AddOptions& options) {
  const auto binding = binding_of(options);
  if (!binding) return failure_of(binding.error());
  auto request = change_request(
      "PUT", fmt::format("/v1/floating-ips/{}?replace={}", binding->floating, options.replace),
      options.wait);
  if (!request) return failure_of(request.error());
  request->body = boost::json::serialize(to_json(*binding));
  auto answer = context.client.call(*request);
  if (!answer && answer.error().code == "conflict" && !options.replace) {
    answer.error().message += "; --replace moves it";
  }
  if (!answer) return answer.error();
  return options.wait.dry_run ? print_preview(context, *answer) : print_row(context, *answer);
}

Verdict forward(const Context& context, const ForwardOptions& options) {
  const auto floating = parse_address(options.floating);
  if (!floating) return failure_of(Error(floating.error()).within("floating IP"));
  auto request = change_request(
      "POST", fmt::format("/v1/floating-ips/{}/forwards?replace={}", *floating, options.replace),
      options.wait);
  if (!request) return failure_of(request.error());
  boost::json::array list;
  for (const std::string& text : options.forwards) list.push_back(boost::json::value(text));
  boost::json::object body;
  body[options.action == "rm" ? "remove" : "add"] = std::move(list);
  request->body = boost::json::serialize(body);
  auto answer = context.client.call(*request);
  if (!answer) return answer.error();
  return options.wait.dry_run ? print_preview(context, *answer) : print_row(context, *answer);
}

Verdict remove(const Context& context, const std::vector<std::string>& addresses,
               const WaitOptions& wait) {
  auto request = change_request("POST", "/v1/floating-ips", wait);
  if (!request) return failure_of(request.error());
  boost::json::array list;
  for (const std::string& text : addresses) {
    const auto address = parse_address(text);
    if (!address) return failure_of(address.error());
    list.push_back(boost::json::value(address->to_string()));
  }
  boost::json::object body;
  body["remove"] = std::move(list);
  request->body = boost::json::serialize(body);
  const auto answer = context.client.call(*request);
  if (!answer) return answer.error();
  if (wait.dry_run) return print_preview(context, *answer);
  return print_summary(context, *answer, "removed", "removed");
}

Verdict apply(const Context& context, const std::string& file, const WaitOptions& wait) {
  const auto text = read_file(file);
  if (!text) return failure_of(text.error());
  const std::string name = file == "-" ? "standard input" : file;
  const auto bindings = parse_document(*text, name);
  if (!bindings) return failure_of(bindings.error());
  auto request = change_request("POST", "/v1/floating-ips?replace=true", wait);
  if (!request) return failure_of(request.error());
  request->body = batch_body(*bindings);
  ProgressLine line;
  const auto answer = context.client.call(
      *request, [&line](std::size_t sent, std::size_t total) { line.update(sent, total); });
  if (!answer) return answer.error();
  if (wait.dry_run) return print_preview(context, *answer);
  return print_summary(context, *answer, "applied", "put");
}

}  // namespace fipd::fipctl
