#include "daemon/state/scratch_copy.h"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace fipd {
namespace {

namespace fs = std::filesystem;

}  // namespace

Result<ScratchCopy> ScratchCopy::make(const fs::path& original, const fs::path& scratch) {
  std::string name = (scratch / "store-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    return fail_errno(errno, fmt::format("make a directory in {}", scratch.string()),
                      ErrorCode::kUnavailable);
  }
  ScratchCopy copy{fs::path(name)};
  copy.file_ = copy.directory_ / original.filename();
  for (const char* suffix : {"", "-wal", "-journal"}) {
    if (Outcome taken = copy.take(original, suffix); !taken) return fail(std::move(taken).error());
  }
  return copy;
}

ScratchCopy::~ScratchCopy() {
  std::error_code ignored;
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
}

Outcome ScratchCopy::take(const fs::path& original, const char* suffix) {
  const fs::path from = original.string() + suffix;
  const fs::path to = file_.string() + suffix;
  std::error_code failed;
  if (*suffix != 0 && !fs::exists(from, failed) && !failed) return success();
  if (!failed) fs::copy_file(from, to, failed);
  // It has taken over the original's mode, which may be read-only.
  if (!failed) fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write, failed);
  if (!failed) return success();
  return fail_errno(failed.value(), fmt::format("copy {} to {}", from.string(), to.string()),
                    ErrorCode::kUnavailable);
}

}  // namespace fipd
