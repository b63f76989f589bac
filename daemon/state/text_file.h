#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "daemon/base/result.h"

namespace fipd {

// The most that is taken of one text: 250,000 bindings of 250 bytes.
inline constexpr std::size_t kMaxDocumentBytes = 64U << 20;

struct TextFile {
  std::string text;
  struct stat status;  // when it was opened
};

// Reads a regular file, whole. Blocks on the disk. The message begins with the path; os_error() is
// ENOENT where there is no such file, kLimit where it is larger than kMaxDocumentBytes.
[[nodiscard]] Result<TextFile> read_text_file(const std::filesystem::path& path);

}  // namespace fipd
