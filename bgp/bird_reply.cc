#include "bgp/bird_reply.h"

#include <algorithm>
#include <utility>

#include "bgp/bird_words.h"

namespace fipd::bgp {
namespace {

using words::take_word;
using words::trimmed;
using words::value_of;

// "1007-..." or "0000 ...": the code, else nothing.
std::optional<unsigned> code_of(std::string_view line) {
  if (line.size() < 5 || (line[4] != ' ' && line[4] != '-')) return std::nullopt;
  unsigned code = 0;
  for (const char c : line.substr(0, 4)) {
    if (!words::is_digit(c)) return std::nullopt;
    code = code * 10 + static_cast<unsigned>(c - '0');
  }
  return code;
}

}  // namespace

tl::unexpected<Error> refused(const BirdReply& reply) {
  return fail(ErrorCode::kUnavailable, "BIRD answers {:04} {}", reply.code(),
              quotable(reply.verdict()));
}

std::string quotable(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string out(text.substr(0, kLongest));
  for (char& c : out) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (text.size() > kLongest) out += "...";
  return out;
}

std::optional<BirdLine> BirdReply::Lines::next() {
  if (rest_.empty()) return std::nullopt;
  const std::size_t end = std::min(rest_.find('\n'), rest_.size());
  std::string_view line = rest_.substr(0, end);
  rest_.remove_prefix(std::min(end + 1, rest_.size()));
  if (const auto code = code_of(line)) {
    code_ = *code;
    line.remove_prefix(5);
  } else if (!line.empty()) {
    line.remove_prefix(1);
  }
  return BirdLine{code_, line};
}

std::string_view BirdReply::verdict() const {
  std::string_view text = text_;
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t before = text.rfind('\n');
  if (before != std::string_view::npos) text.remove_prefix(before + 1);
  return trimmed(text.substr(std::min<std::size_t>(5, text.size())));
}

Outcome BirdReplyReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > kMaxBirdLine) {
      return fail(ErrorCode::kLimit, "BIRD sent a line of more than {} bytes", kMaxBirdLine);
    }
    line_.append(piece);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    if (Outcome finished = finish_line(); !finished) return finished;
  }
  return success();
}

Outcome BirdReplyReader::finish_line() {
  const std::string line = std::exchange(line_, {});
  if (line.starts_with('+')) return success();
  const auto code = code_of(line);
  if (!code && (reply_.empty() || !line.starts_with(' '))) {
    return fail(ErrorCode::kUnavailable, "BIRD sent what is no reply: \"{}\"", quotable(line));
  }
  held_ += line.size() + 1;
  if (held_ > kMaxBirdReply) {
    return fail(ErrorCode::kLimit, "BIRD sent a reply of more than {} bytes", kMaxBirdReply);
  }
  reply_.append(line).push_back('\n');
  if (code && line[4] == ' ') replies_.emplace_back(std::exchange(reply_, {}), *code);
  return success();
}

std::optional<BirdReply> BirdReplyReader::take() {
  if (replies_.empty()) return std::nullopt;
  BirdReply reply = std::move(replies_.front());
  replies_.pop_front();
  if (replies_.empty()) held_ = reply_.size();
  return reply;
}

Result<std::string> parse_greeting(const BirdReply& reply) {
  std::string_view text = reply.verdict();
  const std::string_view name = take_word(text);
  const std::string_view version = take_word(text);
  const bool versioned = !version.empty() && words::is_digit(version[0]) && version.size() <= 32;
  if (reply.code() != 1 || name != "BIRD" || !versioned) {
    return fail(ErrorCode::kUnavailable, "this is not BIRD's greeting: \"{:04} {}\"", reply.code(),
                quotable(reply.verdict()));
  }
  return quotable(version);
}

Result<BirdStatus> parse_status(const BirdReply& reply) {
  if (!reply.ok()) return refused(reply);
  BirdStatus status;
  BirdReply::Lines lines = reply.lines();
  while (const auto line = lines.next()) {
    if (const auto version = value_of("BIRD ", line->text)) status.version = quotable(*version);
    if (const auto when = value_of("Last reboot on ", line->text)) {
      status.last_reboot = quotable(*when);
    }
    if (value_of("Graceful restart recovery in progress", line->text)) status.recovering = true;
  }
  return status;
}

Result<ExportedRows> ExportedRows::in(const BirdReply& reply) {
  constexpr unsigned kNetworkNotFound = 8001;
  const ExportedRows none{BirdReply::Lines({})};
  if (reply.code() == kNetworkNotFound) return none;
  if (reply.ok()) return ExportedRows(reply.lines());
  const std::string_view words = reply.verdict();
  // A session that is down: 2.x, and 3.x.
  const bool down = words.starts_with("No valid tables") ||
                    words.find("accepting exports") != std::string_view::npos;
  if (down) return none;
  if (words.starts_with("syntax error")) {
    return fail(ErrorCode::kNotFound, "BIRD does not know the session: {}", quotable(words));
  }
  return refused(reply);
}

// "unicast [tor1 2026-11-22 20:37:26.785] * (100)".
bool ExportedRows::is_ignored(std::string_view text) const {
  if (ignored_.empty()) return false;
  text.remove_prefix(std::min(text.find('['), text.size()));
  if (text.empty()) return false;
  text.remove_prefix(1);
  const std::string_view source = take_word(text);
  return std::find(ignored_.begin(), ignored_.end(), source) != ignored_.end();
}

bool ExportedRows::take(std::size_t lines, std::vector<Prefix>& into) {
  constexpr unsigned kRow = 1007;
  for (; lines > 0; --lines) {
    const auto line = lines_.next();
    if (!line) return false;
    if (line->code != kRow) continue;
    std::string_view text = line->text;
    const std::string_view word = take_word(text);
    if (word.find('/') == std::string_view::npos || is_ignored(text)) continue;
    if (auto prefix = Prefix::parse(word)) into.push_back(*prefix);
  }
  return true;
}

Result<std::vector<Prefix>> parse_exported(const BirdReply& reply) {
  constexpr std::size_t kSlice = 1000;
  Result<ExportedRows> rows = ExportedRows::in(reply);
  if (!rows) return fail(std::move(rows).error());
  std::vector<Prefix> prefixes;
  while (rows->take(kSlice, prefixes)) {
  }
  return prefixes;
}

}  // namespace fipd::bgp
