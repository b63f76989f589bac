#include "daemon/config_nat_values.h"

#include <algorithm>

#include "daemon/state/binding.h"
#include "daemon/state/suggestion.h"

namespace fipd::config_values {
namespace {

constexpr std::size_t kMostPatterns = 64;

// What needs no escape in nft's text.
bool is_interface_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '@';
}

// The kernel looks ::1 up strictly on the interface that the packet came by (rt6_need_strict) and
// answers "no route"; no sysctl, like IPv4's route_localnet, changes it.
Outcome usable_loopback(const IpAddress& address) {
  if (!address.is_v6() || !address.is_loopback()) return success();
  return fail(
      ErrorCode::kBadInput,
      "{} cannot be reached from an instance, for the kernel routes nothing from outside to "
      "it: write another address of the host, for example fd00:a9fe::1 after 'ip address "
      "add fd00:a9fe::1/128 dev lo'",
      address);
}

Outcome usable_target(const nat::Endpoint& target) {
  const IpAddress& address = target.address;
  std::string_view kind;
  if (address.is_unspecified()) kind = "the unspecified address";
  if (address.is_multicast()) kind = "a multicast address";
  if (address.is_v4() && address.to_v4().to_uint() == 0xffffffff) kind = "the broadcast address";
  // Translated to, it would have no interface to go out of.
  if (address.is_v6() && address.to_v6().is_link_local()) kind = "a link-local address";
  if (kind.empty()) return usable_loopback(address);
  return fail(ErrorCode::kBadInput, "{} is {}: write one that the metadata service answers on",
              address, kind);
}

}  // namespace

Result<std::vector<nat::Endpoint>> metadata_listen(const toml::node& node) {
  const Result<std::vector<std::string>> written = texts(node);
  if (!written) {
    return fail(ErrorCode::kBadInput, "{}, like [\"127.0.0.1:8775\", \"[fd00:a9fe::1]:8775\"]",
                written.error().message());
  }
  std::vector<nat::Endpoint> out;
  for (const std::string& one : *written) {
    const Result<nat::Endpoint> target = address_and_port(one);
    if (!target) return fail(target.error());
    if (Outcome usable = usable_target(*target); !usable) return fail(std::move(usable).error());
    const bool again = std::any_of(out.begin(), out.end(), [&](const nat::Endpoint& earlier) {
      return earlier.address.is_v4() == target->address.is_v4();
    });
    if (again) {
      return fail(ErrorCode::kBadInput,
                  "{} is the second of its family: write one for IPv4, one "
                  "for IPv6",
                  one);
    }
    out.push_back(*target);
  }
  return out;
}

Result<std::vector<std::string>> interface_patterns(const toml::node& node) {
  Result<std::vector<std::string>> written = texts(node);
  if (!written) {
    return fail(ErrorCode::kBadInput, "{}, like [\"tap*\"]", written.error().message());
  }
  if (written->size() > kMostPatterns) {
    return fail(ErrorCode::kBadInput, "{} names are more than the {} that are taken",
                written->size(), kMostPatterns);
  }
  for (const std::string& pattern : *written) {
    if (pattern == "*") {
      return fail(ErrorCode::kBadInput,
                  "'*' is every interface, also those to the outside: write how the names of the "
                  "instances' interfaces begin, like \"tap*\"");
    }
    const std::string_view name =
        std::string_view(pattern).substr(0, pattern.size() - (pattern.ends_with('*') ? 1 : 0));
    const bool good = !name.empty() && name.size() <= kMaxInterfaceName &&
                      std::all_of(name.begin(), name.end(), is_interface_character);
    if (good) continue;
    return fail(ErrorCode::kBadInput,
                "'{}' is no interface's name, nor how one begins, like \"tap*\": letters, digits, "
                "'-', '_', '.' and '@', at most {}",
                printable(pattern), kMaxInterfaceName);
  }
  std::sort(written->begin(), written->end());
  written->erase(std::unique(written->begin(), written->end()), written->end());
  return written;
}

}  // namespace fipd::config_values
