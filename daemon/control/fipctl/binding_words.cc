#include "daemon/control/fipctl/binding_words.h"

#include <limits>

#include "daemon/control/fipctl/amount.h"
#include "daemon/control/fipctl/json_fields.h"
#include "daemon/state/binding_draft.h"
#include "daemon/state/extras_draft.h"
#include "daemon/state/forward.h"
#include "daemon/state/suggestion.h"

namespace fipd::fipctl {
namespace {

Outcome take_forwards(const std::vector<std::string>& written, Binding& binding) {
  std::vector<Forward>& forwards = binding.extras.edit().forwards;
  for (const std::string& text : written) {
    const auto forward = parse_forward(text);
    if (!forward) return fail(Error(forward.error()).within("--forward"));
    forwards.push_back(*forward);
  }
  Outcome ordered = put_in_order(forwards);
  if (!ordered) return fail(std::move(ordered).error().within("--forward"));
  return success();
}

Outcome take_limit(std::string_view written, Limits& limits) {
  const std::size_t equals = written.find('=');
  if (equals == std::string_view::npos) {
    return fail(ErrorCode::kBadInput, "'{}': write KEY=VALUE, like in_bits=100M",
                printable(written));
  }
  const std::string_view key = written.substr(0, equals);
  const auto amount = parse_amount(written.substr(equals + 1));
  if (!amount) return fail(Error(amount.error()).within(printable(key)));
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  Word word{.kind = "a number"};
  word.number = static_cast<std::int64_t>(std::min(*amount, kMost));
  Outcome set = set_limit(key, word, limits);
  if (!set) return fail(std::move(set).error().within(printable(key)));
  return success();
}

Outcome take_limits(const std::vector<std::string>& written, Binding& binding) {
  Limits limits;
  for (const std::string& each : written) {
    Outcome taken = take_limit(each, limits);
    if (!taken) return fail(std::move(taken).error().within("--limit"));
  }
  Outcome fits = check_limits(limits);
  if (!fits) return fail(std::move(fits).error().within("--limit"));
  binding.extras.edit().limits = limits;
  return success();
}

// The words of a binding file, from the command line.
Outcome take_steering(const AddOptions& options, Rare<Extras>& extras) {
  const auto set = [&extras](std::string_view key, const Word& word) -> Outcome {
    const auto known = set_extra(key, word, extras);
    if (!known) return fail(Error(known.error()).within(fmt::format("--{}", key)));
    return success();
  };
  Outcome done;
  if (options.preference) {
    done = set("preference", Word{.kind = "a number", .number = options.preference});
  }
  if (done && options.color) done = set("color", Word{.kind = "a number", .number = options.color});
  if (done && options.shared) done = set("shared", Word{.kind = "a word", .flag = true});
  if (done && !options.check.empty()) {
    done = set("check", Word{.kind = "a word", .text = options.check});
  }
  return done;
}

std::string bits_text(std::uint64_t bits) {
  if (bits % 1000000000 == 0) return fmt::format("{} Gbit/s", bits / 1000000000);
  if (bits % 1000000 == 0) return fmt::format("{} Mbit/s", bits / 1000000);
  if (bits % 1000 == 0) return fmt::format("{} kbit/s", bits / 1000);
  return fmt::format("{} bit/s", bits);
}

}  // namespace

Result<Binding> binding_of(const AddOptions& options) {
  auto floating = parse_address(options.floating);
  if (!floating) return fail(std::move(floating.error()).within("floating IP"));
  Binding binding;
  binding.floating = *floating;
  binding.interface = options.interface;
  binding.id = options.id;
  binding.port = options.port;
  binding.primary = options.primary;
  if (!options.fixed.empty()) {
    auto fixed = parse_address(options.fixed);
    if (!fixed) return fail(std::move(fixed.error()).within("fixed IP"));
    binding.fixed = *fixed;
  }
  if (!options.forwards.empty()) {
    if (Outcome taken = take_forwards(options.forwards, binding); !taken) {
      return fail(std::move(taken).error());
    }
  }
  if (!options.limits.empty()) {
    if (Outcome taken = take_limits(options.limits, binding); !taken) {
      return fail(std::move(taken).error());
    }
  }
  Outcome steered = take_steering(options, binding.extras);
  if (!steered) return fail(std::move(steered).error());
  return binding;
}

std::string target_of(const boost::json::value& row, std::size_t most) {
  const boost::json::array& forwards = list_of(row, "forwards");
  if (forwards.empty()) return text_of(row, "fixed");
  std::string text;
  for (std::size_t i = 0; i < forwards.size() && i < most; ++i) {
    if (!text.empty()) text += ", ";
    if (forwards[i].is_string()) text += std::string_view(forwards[i].get_string());
  }
  if (forwards.size() > most) text += fmt::format(" and {} more", forwards.size() - most);
  return text;
}

std::string limits_of(const boost::json::value& row) {
  const boost::json::value* limits = field_of(row, "limits");
  if (limits == nullptr) return "";
  std::string text;
  const auto add = [&](std::string_view key, auto words) {
    const std::uint64_t value = count_of(*limits, key);
    if (value != 0) text += (text.empty() ? "" : ", ") + words(value);
  };
  add("in_bits", [](std::uint64_t bits) { return "in " + bits_text(bits); });
  add("out_bits", [](std::uint64_t bits) { return "out " + bits_text(bits); });
  add("new_connections", [](std::uint64_t most) { return fmt::format("{} new/s", most); });
  add("connections", [](std::uint64_t most) { return fmt::format("{} connections", most); });
  return text.empty() ? "none" : text;
}

std::string sentence_of(const boost::json::value& row) {
  std::string text = fmt::format("{} -> {}", text_of(row, "floating"), target_of(row, 1));
  const std::string interface = text_of(row, "interface");
  if (!interface.empty()) text += fmt::format(" via {}", interface);
  text += fmt::format(": {}", text_of(row, "state"));
  const std::string reason = text_of(row, "reason");
  if (!reason.empty()) text += fmt::format(" ({})", reason);
  return text;
}

}  // namespace fipd::fipctl
