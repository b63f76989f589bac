#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <boost/json/value.hpp>

#include "daemon/base/function_ref.h"
#include "daemon/control/fipctl/exit_code.h"

namespace fipd::fipctl {

struct Request {
  std::string method = "GET";
  std::string target;
  std::string body;
  std::chrono::milliseconds patience{60000};  // from the end of the request to its answer
};

struct Response {
  unsigned status = 0;
  std::string body;
};

// Bytes sent of how many; called again and again also while the answer is awaited.
using Progress = std::function<void(std::size_t sent, std::size_t total)>;

// One request a connection to fipd's control socket.
class Client {
 public:
  explicit Client(std::string socket) : socket_(std::move(socket)) {}

  [[nodiscard]] Result<Response> send(const Request& request, const Progress& progress = {}) const;

  // The answer's JSON, null where it has none. An error answer becomes the Failure it means.
  [[nodiscard]] tl::expected<boost::json::value, Failure> call(const Request& request,
                                                               const Progress& progress = {}) const;

  // Hands over whole lines as they come, until fipd ends the stream (kUnavailable).
  using OnLine = FunctionRef<void(std::string_view line)>;
  [[nodiscard]] Failure follow(const Request& request, OnLine on_line) const;

 private:
  std::string socket_;
};

}  // namespace fipd::fipctl
