// Whatever comes over a watch, in pieces whose length the first byte says: the same lines as in one
// piece, and each is read or refused; and the same as an answer.
#include <algorithm>
#include <vector>

#include "daemon/sources/etcd/etcd_message.h"
#include "daemon/sources/etcd/line_framer.h"

namespace {

std::vector<std::string> lines_of(std::string_view stream, std::size_t piece) {
  fipd::LineFramer framer(1 << 20);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    if (!framer.feed(stream.substr(at, piece))) __builtin_trap();
    for (std::string line; framer.take(line);) lines.push_back(line);
  }
  return lines;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = std::max<std::size_t>(1, data[0]);
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto lines = lines_of(stream, piece);
  if (lines != lines_of(stream, std::max<std::size_t>(1, stream.size()))) __builtin_trap();
  for (const std::string& line : lines) (void)fipd::watch_reply(line);
  (void)fipd::range_reply(stream);
  (void)fipd::lease_reply(stream);
  (void)fipd::login_reply(stream);
  (void)fipd::error_words(stream);
  return 0;
}
