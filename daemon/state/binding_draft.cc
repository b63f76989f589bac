#include "daemon/state/binding_draft.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "daemon/state/extras_draft.h"
#include "daemon/state/forward.h"
#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

constexpr std::string_view kKeys[] = {"floating",   "fixed",   "interface", "id",
                                      "port",       "primary", "forwards",  "limits",
                                      "preference", "color",   "shared",    "check"};

Outcome set_address(const Word& word, IpAddress& out, std::string_view example) {
  if (!word.text) return wrong_kind(word, example);
  Result<IpAddress> address = parse_address(*word.text);
  if (!address) {
    return fail(ErrorCode::kBadInput, "'{}' is not an IP address: write {}", printable(*word.text),
                example);
  }
  out = *address;
  return success();
}

Outcome set_interface(const Word& word, std::string& out) {
  if (!word.text) return wrong_kind(word, "the interface's name in quotes");
  const std::string_view text = *word.text;
  if (text.size() > kMaxInterfaceName) {
    return fail(ErrorCode::kBadInput, "'{}' is longer than the {} bytes of an interface's name",
                printable(text), kMaxInterfaceName);
  }
  // What the kernel refuses as a name (dev_valid_name).
  const bool bad = text == "." || text == ".." ||
                   text.find_first_of(" /:") != std::string_view::npos ||
                   has_control_characters(text);
  if (bad) {
    return fail(ErrorCode::kBadInput, "'{}' cannot be the name of an interface", printable(text));
  }
  out = text;
  return success();
}

Outcome set_opaque(const Word& word, std::string& out) {
  if (!word.text) return wrong_kind(word, "a string in quotes");
  if (word.text->size() > kMaxOpaqueText) {
    return fail(ErrorCode::kLimit, "'{}' is longer than {} bytes", printable(*word.text),
                kMaxOpaqueText);
  }
  if (has_control_characters(*word.text)) {
    return fail(ErrorCode::kBadInput, "'{}' holds a control character", printable(*word.text));
  }
  out = *word.text;
  return success();
}

}  // namespace

bool is_binding_key(std::string_view key) {
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

Outcome BindingDraft::set(std::string_view key, const Word& word) {
  if (key == "floating") {
    floating_ = true;
    return set_address(word, binding.floating, "the floating IP, like \"172.16.1.3\"");
  }
  if (key == "fixed") {
    fixed_ = true;
    return set_address(word, binding.fixed, "the instance's address, like \"10.65.0.13\"");
  }
  if (key == "interface") return set_interface(word, binding.interface);
  if (key == "id") return set_opaque(word, binding.id);
  if (key == "port") return set_opaque(word, binding.port);
  if (key == "primary") {
    if (!word.flag) return wrong_kind(word, "true or false");
    binding.primary = *word.flag;
    return success();
  }
  const auto known = set_extra(key, word, binding.extras);
  if (!known) return fail(known.error());
  if (*known) return success();
  return fail(ErrorCode::kBadInput, "is not known{}", suggestion(key, kKeys));
}

Outcome BindingDraft::finish() const {
  if (!floating_) return fail(ErrorCode::kBadInput, "'floating' is missing");
  if (binding.forwards().empty() && !fixed_) {
    return fail(ErrorCode::kBadInput, "'fixed' is missing");
  }
  if (!binding.forwards().empty() && fixed_) {
    return fail(ErrorCode::kBadInput,
                "has 'fixed' and 'forwards': write 'fixed' for all ports of one instance, or "
                "'forwards' for single ones");
  }
  return check_target(binding);
}

Outcome check_target(const Binding& binding) {
  const bool v4 = binding.floating.is_v4();
  if (binding.forwards().empty()) {
    if (binding.fixed.is_v4() == v4) return success();
    return fail(ErrorCode::kBadInput,
                "{} and {} are of different families: both must be IPv4, or both IPv6",
                binding.floating, binding.fixed);
  }
  for (const Forward& forward : binding.forwards()) {
    if (forward.fixed.is_v4() == v4) continue;
    return fail(ErrorCode::kBadInput, "{} cannot forward {}: both must be IPv4, or both IPv6",
                binding.floating, to_string(forward));
  }
  return success();
}

}  // namespace fipd
