#include "daemon/sources/binding_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "daemon/state/document.h"
#include "daemon/state/text_file.h"

namespace fipd {
namespace {

FileStamp stamp_from(const struct stat& status) {
  constexpr std::uint64_t kNanoseconds = 1'000'000'000;
  FileStamp out;
  out.device = status.st_dev;
  out.inode = status.st_ino;
  out.size = static_cast<std::uint64_t>(status.st_size);
  out.modified = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * kNanoseconds +
                 static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return out;
}

// A file from the future (a wrong clock) counts as old: it would never settle.
bool younger_than(const FileStamp& stamp, std::chrono::milliseconds age) {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto limit = std::chrono::duration_cast<std::chrono::nanoseconds>(age);
  const std::int64_t since = now.count() - static_cast<std::int64_t>(stamp.modified);
  return since >= 0 && since < limit.count();
}

Result<FileContent> parsed(const std::filesystem::path& path, std::string_view text) {
  Result<std::vector<Binding>> bindings = bindings_from_toml(text, path.filename().string());
  if (!bindings) return fail(std::move(bindings).error());
  const auto before = [](const Binding& a, const Binding& b) { return a.floating < b.floating; };
  std::sort(bindings->begin(), bindings->end(), before);
  return std::make_shared<const std::vector<Binding>>(*std::move(bindings));
}

}  // namespace

bool is_binding_file_name(std::string_view name) {
  return name.size() > 5 && name.ends_with(".toml") && !name.starts_with('.') &&
         !name.starts_with('#');
}

Result<FileStamp> stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return stamp_from(status);
  const int number = errno;
  // A link that leads nowhere is there, and unreadable.
  const bool gone = number == ENOENT && ::lstat(path.c_str(), &status) != 0;
  return fail_errno(number, path.filename().string(),
                    gone ? ErrorCode::kNotFound : ErrorCode::kUnavailable);
}

BindingFile read_binding_file(const std::filesystem::path& path, std::chrono::milliseconds age) {
  BindingFile out;
  const Result<FileStamp> before = stamp_of(path);
  if (!before) {
    out.gone = before.error().code() == ErrorCode::kNotFound;
    out.content = fail(before.error());
    return out;
  }
  out.stamp = *before;
  out.unsettled = younger_than(*before, age);
  if (out.unsettled) return out;

  Result<TextFile> file = read_text_file(path);
  const Result<FileStamp> after = stamp_of(path);
  out.unsettled = !after || *after != *before || (file && stamp_from(file->status) != *before);
  if (out.unsettled) return out;
  if (file) {
    out.content = parsed(path, file->text);
  } else {
    out.content = fail(std::move(file).error());
  }
  return out;
}

}  // namespace fipd
