#include "daemon/sources/judgement.h"

#include <utility>

namespace fipd {
namespace {

ChangeFailure failure(ErrorCode code, std::string_view stable, const IpAddress& floating,
                      std::string text) {
  return {Error(code, std::move(text)), floating, std::string(stable)};
}

}  // namespace

std::optional<ChangeFailure> Judgement::put(const Binding& binding, bool replace) {
  const IpAddress& floating = binding.floating;
  const auto is_floating = [&](const IpAddress& address) {
    return address == floating || in_force(address) != nullptr;
  };
  if (const auto refusal = refusal_of(binding, view_.rules(), view_.host, is_floating)) {
    return failure(ErrorCode::kBadInput, refusal->code, floating, refusal->text);
  }
  if (view_.bindings.with_fixed(floating) != nullptr || before_.fixed.contains(floating) ||
      own_.fixed.contains(floating)) {
    return failure(ErrorCode::kBadInput, "floating_is_fixed", floating,
                   fmt::format("{} is the fixed IP of another floating IP", floating));
  }
  const Binding* present = in_force(floating);
  const auto count =
      static_cast<std::ptrdiff_t>(view_.bindings.size()) + before_.added + own_.added;
  if (present == nullptr && count >= static_cast<std::ptrdiff_t>(most_floating_ips_)) {
    return failure(ErrorCode::kLimit, "too_many", floating,
                   fmt::format("there are {} floating IPs already: raise limits.floating_ips",
                               most_floating_ips_));
  }
  // Limits, preference, interface and the like may change: it stays with whom it is.
  if (present != nullptr && !replace && target_of(*present) != target_of(binding)) {
    return failure(ErrorCode::kConflict, "conflict", floating,
                   fmt::format("{} is bound to {} already: ask to replace it, or remove it first",
                               floating, to_string(target_of(*present))));
  }
  if (present == nullptr) ++own_.added;
  own_.ours[floating] = &binding;
  binding.for_each_fixed([&](const IpAddress& fixed) { own_.fixed.insert(fixed); });
  return std::nullopt;
}

std::optional<ChangeFailure> Judgement::remove(const IpAddress& floating, bool must_exist) {
  if (ours(floating) == nullptr) {
    if (!must_exist) return std::nullopt;
    return nothing_there(floating);
  }
  own_.ours[floating] = nullptr;
  if (in_force(floating) == nullptr) --own_.added;
  return std::nullopt;
}

tl::expected<Binding, ChangeFailure> Judgement::edited(const ForwardEdit& edit) const {
  const IpAddress& floating = edit.floating;
  const Binding* present = ours(floating);
  if (present == nullptr) return tl::unexpected<ChangeFailure>(nothing_there(floating));
  if (present->forwards().empty()) {
    return tl::unexpected<ChangeFailure>(
        failure(ErrorCode::kConflict, "no_forwards", floating,
                fmt::format("{} leads to {} as a whole: replace it by a binding with forwards",
                            floating, present->fixed)));
  }
  Binding binding = *present;
  if (auto refusal = edit_forwards(edit, binding.extras.edit().forwards)) {
    const ErrorCode code = refusal->error.code();
    return tl::unexpected<ChangeFailure>(
        failure(code, refusal->stable_code, floating,
                std::move(refusal->error).within(floating.to_string()).message()));
  }
  return binding;
}

void Judgement::accept() {
  for (const auto& [floating, binding] : own_.ours) before_.ours[floating] = binding;
  before_.fixed.insert(own_.fixed.begin(), own_.fixed.end());
  before_.added += own_.added;
  own_ = {};
}

const Binding* const* Judgement::staged(const IpAddress& floating) const {
  if (const auto at = own_.ours.find(floating); at != own_.ours.end()) return &at->second;
  if (const auto at = before_.ours.find(floating); at != before_.ours.end()) return &at->second;
  return nullptr;
}

const Binding* Judgement::ours(const IpAddress& floating) const {
  if (const Binding* const* at = staged(floating)) return *at;
  const Claim* claim = view_.bindings.claim(floating, kApiOrigin);
  return claim == nullptr ? nullptr : &claim->binding;
}

const Binding* Judgement::in_force(const IpAddress& floating) const {
  const auto claims = view_.bindings.claims(floating);
  const Binding* const* at = staged(floating);
  if (at == nullptr) return claims.empty() ? nullptr : &claims.front().binding;
  if (*at != nullptr) return *at;
  // Ours goes; another source's comes into force.
  for (const Claim& claim : claims) {
    if (claim.origin != kApiOrigin) return &claim.binding;
  }
  return nullptr;
}

ChangeFailure Judgement::nothing_there(const IpAddress& floating) const {
  for (const Claim& claim : view_.bindings.claims(floating)) {
    if (claim.origin == kApiOrigin) continue;
    return failure(ErrorCode::kConflict, "other_source", floating,
                   fmt::format("{} is bound by {}: change it there", floating, claim.origin));
  }
  return failure(ErrorCode::kNotFound, "not_found", floating,
                 fmt::format("no floating IP {}", floating));
}

}  // namespace fipd
