#pragma once

#include <string_view>

#include "daemon/base/result.h"

namespace fipd::fipctl {

// Stable: scripts read them; fipctl(8).
enum class ExitCode {
  kOk = 0,
  kRefused = 1,  // by the kernel, or something went wrong in fipd
  kUsage = 2,
  kNotFound = 3,
  kNotPermitted = 4,
  kConflict = 5,
  kBadInput = 6,
  kUnreachable = 7,
  kWaitRanOut = 8,
  kDegraded = 9,
};

// Of an answer with this HTTP status and stable error code.
[[nodiscard]] ExitCode exit_code_of(unsigned status, std::string_view code);
// Of a failure on our side.
[[nodiscard]] ExitCode exit_code_of(ErrorCode code);

// Why a command ends with something else than 0: the sentence goes to stderr.
struct Failure {
  ExitCode exit = ExitCode::kRefused;
  std::string message;
  std::string code{};  // fipd's stable one, where it is fipd that refuses
};

[[nodiscard]] Failure failure_of(const Error& error);

}  // namespace fipd::fipctl
