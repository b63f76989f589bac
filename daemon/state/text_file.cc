#include "daemon/state/text_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace fipd {
namespace {

struct Descriptor {
  int fd;
  explicit Descriptor(int number) : fd(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

tl::unexpected<Error> failed(const std::filesystem::path& path) {
  const int number = errno;
  return fail_errno(number, path.string(),
                    number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable);
}

}  // namespace

Result<TextFile> read_text_file(const std::filesystem::path& path) {
  // Non-blocking, because a FIFO would hold us until somebody writes into it.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) return failed(path);
  TextFile out{};
  if (::fstat(file.fd, &out.status) != 0) return failed(path);
  if (!S_ISREG(out.status.st_mode)) {
    return fail(ErrorCode::kBadInput, "{}: is not a regular file", path.string());
  }
  if (static_cast<std::size_t>(out.status.st_size) > kMaxDocumentBytes) {
    return fail(ErrorCode::kLimit, "{}: {} bytes are more than the {} that are taken: split it",
                path.string(), out.status.st_size, kMaxDocumentBytes);
  }
  // One more than it says: a file that is growing is read to its end or refused, never cut.
  std::size_t used = 0;
  out.text.resize(static_cast<std::size_t>(out.status.st_size) + 1);
  while (true) {
    const ssize_t got = ::read(file.fd, out.text.data() + used, out.text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > kMaxDocumentBytes) {
      return fail(ErrorCode::kLimit, "{}: grew beyond the {} bytes that are taken", path.string(),
                  kMaxDocumentBytes);
    }
    if (used == out.text.size()) out.text.resize(used * 2);
  }
  out.text.resize(used);
  return out;
}

}  // namespace fipd
