#include "daemon/control/fipctl/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace fipd::fipctl {
namespace {

constexpr std::size_t kMostBytes = 64 << 20;  // fipd takes 16 MiB of JSON; TOML is wordier

Result<std::string> read_all(int fd, const std::string& path) {
  std::string text;
  std::array<char, 64 << 10> piece;
  while (true) {
    const ssize_t count = read(fd, piece.data(), piece.size());
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, path, ErrorCode::kBadInput);
    text.append(piece.data(), static_cast<std::size_t>(count));
    if (text.size() > kMostBytes) {
      return fail(ErrorCode::kLimit, "{}: more than {} MiB: split it", path, kMostBytes >> 20);
    }
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  if (path == "-") return read_all(STDIN_FILENO, "standard input");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, path, ErrorCode::kBadInput);
  auto text = read_all(fd, path);
  close(fd);
  return text;
}

}  // namespace fipd::fipctl
