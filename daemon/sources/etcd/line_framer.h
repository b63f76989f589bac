#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "daemon/base/result.h"

namespace fipd {

// Cuts a stream into lines, whatever pieces it comes in: etcd's gateway ends each message of a
// stream with a newline, and one message may come in many chunks or share one with others. Pure.
class LineFramer {
 public:
  explicit LineFramer(std::size_t longest) : longest_(longest) {}

  // kLimit for a line beyond the limit; then the stream is over.
  [[nodiscard]] Outcome feed(std::string_view bytes);
  // The oldest whole line into `line`, without its newline; empty ones are passed over. False:
  // there is none.
  [[nodiscard]] bool take(std::string& line);

 private:
  std::size_t longest_;
  std::string held_;
  std::size_t searched_ = 0;  // no newline before here
};

}  // namespace fipd
