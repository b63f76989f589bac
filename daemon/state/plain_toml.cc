#include "daemon/state/plain_toml.h"

#include <algorithm>

#include "daemon/state/binding_draft.h"
#include "daemon/state/document.h"
#include "daemon/state/text_file.h"

namespace fipd {
namespace {

constexpr std::string_view kHeader = "[[floating_ip]]";

bool is_plain(char c) { return c >= ' ' && c <= '~'; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// One [[floating_ip]] and the keys under it.
class Entry {
 public:
  // False where the line is not of the plain form, or wrong.
  bool read(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view key = trimmed(line.substr(0, equals));
    std::string_view value = trimmed(line.substr(equals + 1));
    // A key twice is toml++'s to refuse.
    if (count_ == std::size(keys_) || std::find(keys_, keys_ + count_, key) != keys_ + count_) {
      return false;
    }
    keys_[count_++] = key;

    const bool yes = value == "true";
    Word word;
    if (yes || value == "false") {
      word.flag = yes;
      return draft_.set(key, word).has_value();
    }
    if (value.size() < 2 || value.front() != '"' || value.back() != '"') return false;
    value = value.substr(1, value.size() - 2);
    if (value.find_first_of("\"\\") != std::string_view::npos) return false;
    word.text = value;
    return draft_.set(key, word).has_value();
  }

  [[nodiscard]] bool whole() const { return draft_.finish().has_value(); }
  [[nodiscard]] Binding take() { return std::move(draft_.binding); }

 private:
  BindingDraft draft_;
  std::string_view keys_[9];
  std::size_t count_ = 0;
};

}  // namespace

std::optional<std::vector<Binding>> plain_bindings(std::string_view text) {
  if (text.size() > kMaxDocumentBytes) return std::nullopt;
  std::vector<Binding> bindings;
  std::optional<Entry> entry;
  const auto close = [&] {
    if (!entry) return true;
    if (!entry->whole() || bindings.size() == kMaxBindings) return false;
    bindings.push_back(entry->take());
    return true;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view raw = text.substr(at, end - at);
    at = end + 1;
    if (!std::all_of(raw.begin(), raw.end(), is_plain)) return std::nullopt;
    const std::string_view line = trimmed(raw);
    if (line.empty() || line.front() == '#') continue;
    if (line == kHeader) {
      if (!close()) return std::nullopt;
      entry.emplace();
    } else if (!entry || !entry->read(line)) {
      return std::nullopt;
    }
  }
  if (!entry || !close()) return std::nullopt;

  FirstPlaces places(bindings.size());
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    if (places.note(bindings[i].floating, i) != i) return std::nullopt;
  }
  return bindings;
}

}  // namespace fipd
