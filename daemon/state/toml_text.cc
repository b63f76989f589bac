#include "daemon/state/toml_text.h"

#include <algorithm>
#include <optional>

#include "daemon/state/text_file.h"

namespace fipd {
namespace {

constexpr unsigned kMaxDots = 32;
constexpr std::string_view kEndOfKey = "=,[]{}\n";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

struct Fault {
  std::size_t at = 0;
  std::string_view what;
};

// A newline ends it, too: there toml++ gives up.
std::size_t after_string(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n') {
    at += quote == '"' && text[at] == '\\' ? 2 : 1;
  }
  return std::min(at + 1, text.size());
}

// What toml++ 3.3 must not see, for the fuzzer found what it does then. It limits how deep values
// nest, but not how deep a dotted key does, and its tables are destroyed by recursion: a key of
// 50,000 dots would end the daemon. And its table of Unicode's white space is undefined behaviour
// for many a letter outside of strings, and behind the backslash at the end of a line in a
// multi-line one. Reads strings and comments as toml++ does; on malformed text it may go astray
// only behind the place where toml++ gives up.
std::optional<Fault> fault_in(std::string_view text) {
  unsigned dots = 0;
  std::size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
    } else if (c == '"' || c == '\'') {
      if (text.substr(at, 3) == std::string(3, c)) {
        return Fault{at, "a multi-line string: write it in one line"};
      }
      at = after_string(text, at);
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      return Fault{at, "a character that must be within quotes"};
    } else {
      if (c == '.' && ++dots > kMaxDots) return Fault{at, "a key of more than 32 parts"};
      if (kEndOfKey.find(c) != std::string_view::npos) dots = 0;
      ++at;
    }
  }
  return std::nullopt;
}

std::string place(const toml::source_region& region, std::string_view file) {
  return fmt::format("{}:{}:{}", file, region.begin.line, region.begin.column);
}

}  // namespace

Result<toml::table> parse_toml(std::string_view text, std::string_view file) {
  if (text.size() > kMaxDocumentBytes) {
    return fail(ErrorCode::kLimit, "{}: {} bytes are more than the {} that are taken: split it",
                file, text.size(), kMaxDocumentBytes);
  }
  if (const std::optional<Fault> fault = fault_in(text)) {
    const std::string_view before = text.substr(0, fault->at);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t column = fault->at - before.rfind('\n');  // npos + 1 is 0
    return fail(ErrorCode::kBadInput, "{}:{}:{}: {}", file, line, column, fault->what);
  }
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return fail(ErrorCode::kBadInput, "{}: {}", place(error.source(), file), error.description());
  }
  return std::move(parsed).table();
}

std::string place_of(const toml::node& node, std::string_view file) {
  return place(node.source(), file);
}

std::string place_of(const toml::key& key, std::string_view file) {
  return place(key.source(), file);
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

}  // namespace fipd
