#pragma once

#include <filesystem>
#include <utility>

#include "daemon/base/result.h"

namespace fipd {

// A copy of a SQLite database that may be written, with its -wal and -journal, in a directory of
// its own (0700) that goes with the copy: what a crash left in the log alone can be read although
// the original must not be touched. Nobody may write the original meanwhile. Blocks.
class ScratchCopy {
 public:
  // Fails where there is no such file, or where it cannot be read or copied.
  [[nodiscard]] static Result<ScratchCopy> make(const std::filesystem::path& original,
                                                const std::filesystem::path& scratch);

  ScratchCopy(ScratchCopy&& other) noexcept
      : directory_(std::exchange(other.directory_, {})), file_(std::move(other.file_)) {}
  ScratchCopy& operator=(ScratchCopy&&) = delete;
  ~ScratchCopy();

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  explicit ScratchCopy(std::filesystem::path directory) : directory_(std::move(directory)) {}
  [[nodiscard]] Outcome take(const std::filesystem::path& original, const char* suffix);

  std::filesystem::path directory_;
  std::filesystem::path file_;
};

}  // namespace fipd
