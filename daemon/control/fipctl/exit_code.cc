#include "daemon/control/fipctl/exit_code.h"

namespace fipd::fipctl {

ExitCode exit_code_of(unsigned status, std::string_view code) {
  if (status < 400) return ExitCode::kOk;
  if (code == "wait_timeout") return ExitCode::kWaitRanOut;
  if (code == "overloaded") return ExitCode::kUnreachable;
  if (status == 401 || status == 403) return ExitCode::kNotPermitted;
  if (status == 404) return ExitCode::kNotFound;
  if (status == 409) return ExitCode::kConflict;
  if (status < 500) return ExitCode::kBadInput;
  return ExitCode::kRefused;
}

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadInput:
    case ErrorCode::kLimit:
      return ExitCode::kBadInput;
    case ErrorCode::kNotFound:
      return ExitCode::kNotFound;
    case ErrorCode::kConflict:
      return ExitCode::kConflict;
    case ErrorCode::kNotPermitted:
      return ExitCode::kNotPermitted;
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
      return ExitCode::kUnreachable;
    case ErrorCode::kKernel:
    case ErrorCode::kInternal:
      break;
  }
  return ExitCode::kRefused;
}

Failure failure_of(const Error& error) {
  return Failure{exit_code_of(error.code()), error.message()};
}

}  // namespace fipd::fipctl
