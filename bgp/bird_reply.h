#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/address.h"
#include "daemon/base/result.h"

// What BIRD 2.0.12, 2.17 and 3.x say on their control socket. Pure: bytes in, values out. Parsed by
// key and by word, never by column; what is unknown is ignored.
namespace fipd::bgp {

// BIRD's own lines are at most 512 bytes; 50,000 routes are 4 MiB.
inline constexpr std::size_t kMaxBirdLine = 4096;
inline constexpr std::size_t kMaxBirdReply = 10 << 20;

struct BirdLine {
  unsigned code = 0;  // " text" has the code of the line before it
  std::string_view text;
};

// One whole reply. Its last line's code says how it went: 0xxx done, 8xxx refused, 9xxx not
// understood.
class BirdReply {
 public:
  // `text`: lines of a reply as BIRD sent them, "+" lines left out, each ended by a newline.
  BirdReply(std::string text, unsigned code) : text_(std::move(text)), code_(code) {}

  [[nodiscard]] unsigned code() const { return code_; }
  [[nodiscard]] bool ok() const { return code_ < 8000; }
  // The last line's words.
  [[nodiscard]] std::string_view verdict() const;

  // Walks the lines; kept apart from a vector, because 10 MiB can be five million of them.
  class Lines {
   public:
    explicit Lines(std::string_view text) : rest_(text) {}
    [[nodiscard]] std::optional<BirdLine> next();

   private:
    std::string_view rest_;
    unsigned code_ = 0;
  };
  [[nodiscard]] Lines lines() const { return Lines(text_); }

 private:
  std::string text_;
  unsigned code_;
};

// Cuts BIRD's bytes, in whatever pieces they come, into replies. A reply ends at the first line of
// four digits and a space. "+text", which BIRD may send at any time, is skipped.
class BirdReplyReader {
 public:
  // kLimit for a line or reply beyond the limits, kUnavailable for what no BIRD would say. After an
  // error the conversation is over: close it, and use a new reader.
  [[nodiscard]] Outcome feed(std::string_view bytes);
  // The oldest whole reply.
  [[nodiscard]] std::optional<BirdReply> take();

 private:
  [[nodiscard]] Outcome finish_line();

  std::string line_;   // what came of the line so far
  std::string reply_;  // whole lines of the reply so far
  std::deque<BirdReply> replies_;
  std::size_t held_ = 0;  // bytes in reply_ and replies_
};

// "0001 BIRD 2.0.12 ready." -> "2.0.12".
[[nodiscard]] Result<std::string> parse_greeting(const BirdReply& reply);

struct BirdStatus {
  std::string version;      // empty where BIRD hides it (restricted)
  std::string last_reboot;  // changes with every restart
  bool recovering = false;  // after a graceful restart, waiting for its neighbours
};
[[nodiscard]] Result<BirdStatus> parse_status(const BirdReply& reply);

// The prefixes in the answer to `show route exported ...`. None, and no error, where there is no
// such route or the session is down. kNotFound where BIRD does not know the session.
[[nodiscard]] Result<std::vector<Prefix>> parse_exported(const BirdReply& reply);

// The same in slices, for answers of 100,000 prefixes. The reply must outlive it.
class ExportedRows {
 public:
  [[nodiscard]] static Result<ExportedRows> in(const BirdReply& reply);
  // Routes that these protocols brought are left out: they are somebody else's.
  void ignore(std::vector<std::string> sources) { ignored_ = std::move(sources); }
  // Appends what the next `lines` lines hold. False at the end of the reply.
  [[nodiscard]] bool take(std::size_t lines, std::vector<Prefix>& into);

 private:
  explicit ExportedRows(BirdReply::Lines lines) : lines_(lines) {}
  [[nodiscard]] bool is_ignored(std::string_view text) const;

  BirdReply::Lines lines_;
  std::vector<std::string> ignored_;
};

// What to say of a reply that is not ok().
[[nodiscard]] tl::unexpected<Error> refused(const BirdReply& reply);

// Foreign text made fit for a sentence: at most 80 characters, the unprintable ones as '?'.
[[nodiscard]] std::string quotable(std::string_view text);

}  // namespace fipd::bgp
