#include "daemon/state/toml_text.h"

#include <algorithm>

#include "daemon/state/text_file.h"

namespace fipd {
namespace {

// toml++ 3.3 limits how deep values nest, but not how deep a dotted key does, and its tables are
// destroyed by recursion: a key of 50,000 dots would end the daemon.
constexpr unsigned kMaxDots = 32;

std::size_t after_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string triple(3, quote);
  const bool multi_line = text.substr(at, 3) == triple;
  at += multi_line ? 3 : 1;
  while (at < text.size()) {
    if (quote == '"' && text[at] == '\\') {
      at += 2;
    } else if (!multi_line && (text[at] == quote || text[at] == '\n')) {
      return text[at] == quote ? at + 1 : at;
    } else if (multi_line && text.substr(at, 3) == triple) {
      return at + 3;
    } else {
      ++at;
    }
  }
  return text.size();
}

// The offset at which a key is dotted too deep, npos where none is. Reads strings and comments as
// toml++ does; on malformed text it may go astray only behind the place where toml++ gives up.
std::size_t too_deep(std::string_view text) {
  unsigned dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '#':
        at = std::min(text.find('\n', at), text.size());
        continue;
      case '"':
      case '\'':
        at = after_string(text, at);
        continue;
      case '.':
        if (++dots > kMaxDots) return at;
        break;
      case '=':
      case ',':
      case '[':
      case ']':
      case '{':
      case '}':
      case '\n':
        dots = 0;
        break;
      default:
        break;
    }
    ++at;
  }
  return std::string_view::npos;
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
  if (const std::size_t at = too_deep(text); at != std::string_view::npos) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
    return fail(ErrorCode::kBadInput, "{}:{}:1: a key of more than {} parts", file, line, kMaxDots);
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
