#include "daemon/control/fipctl/client.h"

#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/parse.hpp>

#include "daemon/control/fipctl/connection.h"

namespace fipd::fipctl {
namespace {

namespace http = boost::beast::http;
using Parser = http::response_parser<http::string_body>;

constexpr std::chrono::seconds kStall{10};  // fipd takes some bytes at least this often
constexpr std::size_t kPiece = 256 << 10;
constexpr std::chrono::milliseconds kTick{100};

std::string head_of(const Request& request) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: fipd\r\nUser-Agent: fipctl/" FIPD_VERSION
                                 "\r\nConnection: close\r\n",
                                 request.method, request.target);
  if (!request.body.empty() || request.method != "GET") {
    head += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                        request.body.size());
  }
  return head += "\r\n";
}

Outcome send_all(Connection& connection, const Request& request, const Progress& progress) {
  const std::string head = head_of(request);
  for (const std::string_view part : {std::string_view(head), std::string_view(request.body)}) {
    std::string_view rest = part;
    while (!rest.empty()) {
      const auto sent = connection.send_some(rest.substr(0, kPiece), Clock::now() + kStall);
      if (!sent) return fail(sent.error());
      if (*sent == 0) return success();  // answered early: the answer says why
      rest.remove_prefix(*sent);
      if (progress && part.data() == request.body.data()) {
        progress(part.size() - rest.size(), part.size());
      }
    }
  }
  return success();
}

// Feeds the parser from the connection: keeps what has arrived and not been understood yet.
class Reader {
 public:
  Reader(Connection& connection, Parser& parser) : connection_(connection), parser_(parser) {}

  // Reads once; false: the message is complete.
  Result<bool> step(Clock::time_point deadline) {
    std::array<char, 64 << 10> piece;
    const auto count = connection_.receive(piece, deadline);
    if (!count) return fail(count.error());
    if (*count == 0) return finish();
    pending_.append(piece.data(), *count);
    return parse();
  }

 private:
  Result<bool> finish() {
    boost::system::error_code problem;
    if (parser_.got_some()) parser_.put_eof(problem);
    if (!parser_.got_some() || problem) {
      return fail(ErrorCode::kUnavailable,
                  "fipd closed the connection in the middle of its answer; see its log");
    }
    return false;
  }
  Result<bool> parse() {
    std::size_t used = 0;
    boost::system::error_code problem;
    while (!parser_.is_done() && used < pending_.size() && !problem) {
      used +=
          parser_.put(boost::asio::buffer(pending_.data() + used, pending_.size() - used), problem);
    }
    pending_.erase(0, used);
    if (problem && problem != http::error::need_more) {
      return fail(ErrorCode::kUnavailable, "this is not fipd: {}", problem.message());
    }
    return !parser_.is_done();
  }

  Connection& connection_;
  Parser& parser_;
  std::string pending_;
};

Failure refusal_of(unsigned status, const std::string& body) {
  boost::system::error_code problem;
  const boost::json::value value = boost::json::parse(body, problem);
  const auto text_at = [&value](std::string_view pointer) -> std::string {
    boost::system::error_code missing;
    const boost::json::value* found = value.find_pointer(pointer, missing);
    return found != nullptr && found->is_string() ? std::string(found->get_string())
                                                  : std::string();
  };
  if (problem) return Failure{exit_code_of(status, ""), fmt::format("HTTP status {}", status)};
  std::string message = text_at("/error/message");
  const std::string floating = text_at("/error/floating");
  if (!floating.empty() && message.find(floating) == message.npos) {
    message = fmt::format("{}: {}", floating, message);
  }
  std::string code = text_at("/error/code");
  return Failure{exit_code_of(status, code), std::move(message), std::move(code)};
}

}  // namespace

Result<Response> Client::send(const Request& request, const Progress& progress) const {
  auto connection = Connection::open(socket_);
  if (!connection) return fail(connection.error());
  const Outcome sent = send_all(*connection, request, progress);
  if (!sent) return fail(sent.error());
  Parser parser;
  parser.eager(true);
  parser.body_limit(boost::none);
  Reader reader(*connection, parser);
  // The patience is for silence: a big listing may take as long as it keeps coming.
  Clock::time_point deadline = Clock::now() + request.patience;
  bool more = true;
  while (more) {
    const Clock::time_point tick = progress ? std::min(deadline, Clock::now() + kTick) : deadline;
    const auto stepped = reader.step(tick);
    if (!stepped && stepped.error().code() == ErrorCode::kTimeout && Clock::now() < deadline) {
      progress(request.body.size(), request.body.size());
      continue;
    }
    if (!stepped) return fail(stepped.error());
    more = *stepped;
    deadline = Clock::now() + request.patience;
  }
  return Response{parser.get().result_int(), std::move(parser.get().body())};
}

tl::expected<boost::json::value, Failure> Client::call(const Request& request,
                                                       const Progress& progress) const {
  const auto response = send(request, progress);
  if (!response) return tl::unexpected<Failure>(failure_of(response.error()));
  if (response->status >= 400) {
    return tl::unexpected<Failure>(refusal_of(response->status, response->body));
  }
  if (response->body.empty()) return boost::json::value();
  boost::system::error_code problem;
  boost::json::value value = boost::json::parse(response->body, problem);
  if (!problem) return value;
  return tl::unexpected<Failure>(
      Failure{ExitCode::kUnreachable, "fipd's answer is no JSON: " + problem.message()});
}

Failure Client::follow(const Request& request, OnLine on_line) const {
  auto connection = Connection::open(socket_);
  if (!connection) return failure_of(connection.error());
  const Outcome sent = send_all(*connection, request, {});
  if (!sent) return failure_of(sent.error());
  Parser parser;
  parser.eager(true);
  parser.body_limit(boost::none);
  Reader reader(*connection, parser);
  bool more = true;
  while (more) {
    const auto stepped = reader.step(Clock::now() + std::chrono::hours(24 * 365));
    if (!stepped) return failure_of(stepped.error());
    more = *stepped;
    if (parser.is_header_done() && parser.get().result_int() >= 400) continue;
    std::string& text = parser.get().body();
    std::size_t end = text.find('\n');
    while (end != text.npos) {
      on_line(std::string_view(text).substr(0, end));
      text.erase(0, end + 1);
      end = text.find('\n');
    }
  }
  if (parser.get().result_int() >= 400) {
    return refusal_of(parser.get().result_int(), parser.get().body());
  }
  return Failure{ExitCode::kUnreachable, "fipd ended the stream"};
}

}  // namespace fipd::fipctl
