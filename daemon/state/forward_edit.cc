#include "daemon/state/forward_edit.h"

#include <algorithm>
#include <utility>

namespace fipd {
namespace {

template <typename... Args>
ForwardRefusal refused(ErrorCode code, std::string_view stable, fmt::format_string<Args...> format,
                       Args&&... args) {
  return {Error(code, fmt::format(format, std::forward<Args>(args)...)), stable};
}

bool overlap(const Forward& a, const Forward& b) {
  return a.protocol == b.protocol && a.port < b.port + b.count && b.port < a.port + a.count;
}

std::optional<ForwardRefusal> remove(const ForwardEdit::Removal& removal,
                                     std::vector<Forward>& forwards) {
  const auto at = std::find_if(forwards.begin(), forwards.end(), [&](const Forward& each) {
    return ports_of(each) == removal.ports;
  });
  if (at == forwards.end()) {
    return refused(ErrorCode::kNotFound, "forward_not_found",
                   "no forward of {}: name its ports as they were added", to_string(removal.ports));
  }
  if (removal.exactly && *at != *removal.exactly) {
    return refused(ErrorCode::kConflict, "forward_conflict", "it is {} by now, not {}",
                   to_string(*at), to_string(*removal.exactly));
  }
  forwards.erase(at);
  return std::nullopt;
}

std::optional<ForwardRefusal> add(const Forward& forward, bool replace,
                                  std::vector<Forward>& forwards) {
  for (Forward& each : forwards) {
    if (!overlap(each, forward)) continue;
    const bool same_ports = ports_of(each) == ports_of(forward);
    if (each == forward) return std::nullopt;
    if (!same_ports || !replace) {
      return refused(ErrorCode::kConflict, "forward_conflict", "{} is there already: {}",
                     to_string(each),
                     same_ports ? "ask to replace it" : "remove it first, it has other ports, too");
    }
    each = forward;
    return std::nullopt;
  }
  forwards.push_back(forward);
  return std::nullopt;
}

}  // namespace

Result<ForwardEdit::Removal> parse_forward_removal(std::string_view text) {
  if (text.find('=') == std::string_view::npos) {
    const auto ports = parse_forwarded_ports(text);
    if (!ports) return fail(ports.error());
    return ForwardEdit::Removal{*ports, std::nullopt};
  }
  const auto forward = parse_forward(text);
  if (!forward) return fail(forward.error());
  return ForwardEdit::Removal{ports_of(*forward), *forward};
}

std::optional<ForwardRefusal> edit_forwards(const ForwardEdit& edit,
                                            std::vector<Forward>& forwards) {
  std::vector<Forward> edited = forwards;
  for (const ForwardEdit::Removal& removal : edit.remove) {
    if (auto refusal = remove(removal, edited)) return refusal;
  }
  for (const Forward& forward : edit.add) {
    if (auto refusal = add(forward, edit.replace, edited)) return refusal;
  }
  if (edited.empty()) {
    return refused(ErrorCode::kBadInput, "last_forward",
                   "it has no other forward: remove the floating IP instead");
  }
  if (Outcome ordered = put_in_order(edited); !ordered) {
    return ForwardRefusal{std::move(ordered).error(), ""};
  }
  forwards = std::move(edited);
  return std::nullopt;
}

}  // namespace fipd
