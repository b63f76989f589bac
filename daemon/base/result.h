#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <tl/expected.hpp>

namespace fipd {

// What kind of failure it was; decides the HTTP status and fipctl's exit code, never the wording.
enum class ErrorCode {
  kBadInput,      // the caller's words are wrong; repeating them will not help
  kNotFound,      // no such floating IP, interface, file...
  kConflict,      // somebody else has it
  kNotPermitted,  // the caller may not
  kKernel,        // the kernel refused; os_error() has its word
  kUnavailable,   // a peer (BIRD, the store) is away; repeating may help
  kTimeout,       // a deadline passed
  kLimit,         // more than we take
  kInternal,      // a bug or a broken invariant
};

// A failure in words that a person can act on. Gathers context on its way up, outermost first:
// "add route 203.0.113.7/32 dev tap9: Network is down".
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  // The errno behind it, 0 where there was none.
  [[nodiscard]] int os_error() const { return os_error_; }

  [[nodiscard]] Error within(std::string_view context) && {
    message_ = fmt::format("{}: {}", context, message_);
    return std::move(*this);
  }

  [[nodiscard]] static Error from_errno(int number, std::string_view what,
                                        ErrorCode code = ErrorCode::kKernel) {
    Error error(code, fmt::format("{}: {}", what, std::strerror(number)));
    error.os_error_ = number;
    return error;
  }

  friend bool operator==(const Error&, const Error&) = default;

 private:
  ErrorCode code_;
  int os_error_ = 0;
  std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;

// A fallible function without a value.
using Outcome = Result<void>;

// `co_return {}` does not compile with Asio 1.81; `co_return success();` does.
[[nodiscard]] inline Outcome success() { return {}; }

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error(code, fmt::format(format, std::forward<Args>(args)...)));
}

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

[[nodiscard]] inline tl::unexpected<Error> fail_errno(int number, std::string_view what,
                                                      ErrorCode code = ErrorCode::kKernel) {
  return tl::unexpected<Error>(Error::from_errno(number, what, code));
}

}  // namespace fipd
