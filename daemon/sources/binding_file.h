#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"

namespace fipd {

// By floating IP; immutable once read, so that two threads may hold it.
using FileContent = std::shared_ptr<const std::vector<Binding>>;

// What tells two versions of a file apart without reading it.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::uint64_t modified = 0;  // nanoseconds

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

struct BindingFile {
  // Changed while it was read, or younger than was asked for: look again in a moment.
  bool unsettled = false;
  bool gone = false;  // there is no such file: positive evidence
  FileStamp stamp;    // zeros where it cannot be had
  // The bindings, or "a.toml:3:12: ...". Says nothing where the file is gone or unsettled.
  Result<FileContent> content = FileContent();
};

// "*.toml", but not what editors and package managers leave beside it (".a.toml.swp", "a.toml~").
[[nodiscard]] bool is_binding_file_name(std::string_view name);

// The stamp of what is there now. kNotFound where nothing is.
[[nodiscard]] Result<FileStamp> stamp_of(const std::filesystem::path& path);

// Reads a file of [[floating_ip]]. Takes it only where it is the same before and after, and was
// last written at least `age` ago. Blocks on the disk; any thread.
[[nodiscard]] BindingFile read_binding_file(const std::filesystem::path& path,
                                            std::chrono::milliseconds age);

}  // namespace fipd
