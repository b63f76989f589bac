#include "daemon/sources/etcd/line_framer.h"

namespace fipd {

Outcome LineFramer::feed(std::string_view bytes) {
  held_ += bytes;
  if (held_.size() <= longest_) return success();
  // Many whole lines may be more than one may be.
  const std::size_t last = held_.rfind('\n');
  const std::size_t rest = last == std::string::npos ? held_.size() : held_.size() - last - 1;
  if (rest <= longest_ && held_.find('\n') <= longest_) return success();
  return fail(ErrorCode::kLimit, "etcd: a message is longer than {} bytes", longest_);
}

bool LineFramer::take(std::string& line) {
  for (;;) {
    const std::size_t end = held_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = held_.size();
      return false;
    }
    line.assign(held_, 0, end);
    held_.erase(0, end + 1);
    searched_ = 0;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) return true;
  }
}

}  // namespace fipd
