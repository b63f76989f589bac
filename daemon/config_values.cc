#include "daemon/config_values.h"

#include <sys/un.h>

#include <algorithm>
#include <charconv>

#include "bgp/bird_name.h"
#include "daemon/state/suggestion.h"

namespace fipd::config_values {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

tl::unexpected<Error> wrong_kind(const toml::node& node, std::string_view wanted) {
  return fail(ErrorCode::kBadInput, "is {}: write {}", kind_of(node), wanted);
}

std::string shown(milliseconds time) {
  if (time.count() == 0) return "0ms";
  if (time % std::chrono::minutes(1) == milliseconds(0)) {
    return fmt::format("{}m", time / std::chrono::minutes(1));
  }
  if (time % std::chrono::seconds(1) == milliseconds(0)) {
    return fmt::format("{}s", time / std::chrono::seconds(1));
  }
  return fmt::format("{}ms", time.count());
}

// Letters, digits and `more`; the first is no digit and none of "-.".
bool is_name(std::string_view name, std::string_view more, std::size_t longest) {
  const std::string allowed = std::string(kLetters) + std::string(kDigits) + std::string(more);
  return !name.empty() && name.size() <= longest &&
         name.find_first_not_of(allowed) == std::string_view::npos &&
         (kLetters.find(name.front()) != std::string_view::npos || name.front() == '_');
}

std::int64_t milliseconds_of(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return 1000;
  return unit == "m" ? 60000 : 0;
}

bool within(const Prefix& inner, const Prefix& outer) {
  return outer.length() <= inner.length() && outer.contains(inner.address());
}

struct Reserved {
  unsigned protocol;
  std::string_view owner;
};
// /etc/iproute2/rt_protos; routes with these would be taken for somebody else's.
constexpr Reserved kReserved[] = {{8, "gated"},       {9, "router advertisements"},
                                  {10, "mrt"},        {11, "zebra"},
                                  {12, "bird"},       {13, "dnrouted"},
                                  {14, "xorp"},       {15, "ntk"},
                                  {16, "dhcp"},       {17, "mrouted"},
                                  {18, "keepalived"}, {42, "babel"},
                                  {80, "Felix"},      {99, "openr"},
                                  {186, "bgp"},       {187, "isis"},
                                  {188, "ospf"},      {189, "rip"},
                                  {192, "eigrp"}};

}  // namespace

Result<std::string> text(const toml::node& node) {
  const auto* value = node.as_string();
  if (value == nullptr) return wrong_kind(node, "a string in quotes");
  if (has_control_characters(value->get())) {
    return fail(ErrorCode::kBadInput, "'{}' holds a control character", printable(value->get()));
  }
  return value->get();
}

Result<bool> flag(const toml::node& node) {
  const auto* value = node.as_boolean();
  if (value == nullptr) return wrong_kind(node, "true or false");
  return value->get();
}

Result<std::uint64_t> integer(const toml::node& node, std::uint64_t least, std::uint64_t most) {
  const auto* value = node.as_integer();
  if (value == nullptr) return wrong_kind(node, "an integer");
  const std::int64_t number = value->get();
  if (number < 0 || static_cast<std::uint64_t>(number) < least ||
      static_cast<std::uint64_t>(number) > most) {
    return fail(ErrorCode::kBadInput, "{} is out of range: write {} to {}", number, least, most);
  }
  return static_cast<std::uint64_t>(number);
}

Result<double> share(const toml::node& node) {
  const std::optional<double> value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value) return wrong_kind(node, "a number from 0 to 1");
  // Written so that it is false for NaN.
  if (!(*value >= 0 && *value <= 1)) {
    return fail(ErrorCode::kBadInput, "{} is out of range: write 0.0 to 1.0", *value);
  }
  return *value;
}

Result<milliseconds> duration(const toml::node& node, milliseconds least, milliseconds most) {
  constexpr std::string_view kForm =
      "a time with its unit in quotes, like \"500ms\", \"2s\", \"1m\"";
  const auto* value = node.as_string();
  if (value == nullptr) return wrong_kind(node, kForm);
  const std::string& written = value->get();
  const char* end = written.data() + written.size();
  std::int64_t number = 0;
  const auto [after, error] = std::from_chars(written.data(), end, number);
  const std::int64_t unit = milliseconds_of({after, static_cast<std::size_t>(end - after)});
  if (error != std::errc() || number < 0 || unit == 0) {
    return fail(ErrorCode::kBadInput, "'{}' is not a time: write {}", printable(written), kForm);
  }
  // Divided, because the product may overflow.
  if (number > most.count() / unit || number * unit < least.count()) {
    return fail(ErrorCode::kBadInput, "'{}' is out of range: write \"{}\" to \"{}\"", written,
                shown(least), shown(most));
  }
  return milliseconds(number * unit);
}

Result<std::filesystem::path> absolute_path(const toml::node& node) {
  const Result<std::string> path = text(node);
  if (!path) return fail(path.error());
  if (!path->starts_with('/')) {
    return fail(ErrorCode::kBadInput, "'{}' is not an absolute path: begin it with /",
                printable(*path));
  }
  return std::filesystem::path(*path);
}

Result<std::filesystem::path> socket_path(const toml::node& node) {
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  Result<std::filesystem::path> path = absolute_path(node);
  if (path && path->native().size() > kLongest) {
    return fail(ErrorCode::kBadInput,
                "is {} bytes long, and a Unix socket's path at most {}: "
                "write a shorter one",
                path->native().size(), kLongest);
  }
  return path;
}

Result<std::vector<std::string>> texts(const toml::node& node) {
  const toml::array* array = node.as_array();
  if (array == nullptr) return wrong_kind(node, "an array of strings");
  std::vector<std::string> out;
  for (const toml::node& entry : *array) {
    Result<std::string> one = text(entry);
    if (!one) return fail(std::move(one).error());
    out.push_back(*std::move(one));
  }
  return out;
}

Result<std::vector<std::string>> bird_names(const toml::node& node) {
  Result<std::vector<std::string>> names = texts(node);
  if (!names) return names;
  constexpr std::size_t kMost = 64;
  if (names->size() > kMost) {
    return fail(ErrorCode::kBadInput, "{} names are more than the {} that are taken", names->size(),
                kMost);
  }
  for (const std::string& name : *names) {
    if (bgp::is_plain_name(name)) continue;
    return fail(ErrorCode::kBadInput,
                "\"{}\" is no name of a protocol of BIRD's: letters, digits and . _ : -", name);
  }
  return names;
}

Result<std::vector<Prefix>> prefixes(const toml::node& node) {
  const Result<std::vector<std::string>> written = texts(node);
  if (!written) {
    return fail(ErrorCode::kBadInput, "{}, like [\"10.65.0.0/16\"]", written.error().message());
  }
  if (written->size() > 1000) {
    return fail(ErrorCode::kBadInput, "{} prefixes are more than the 1000 that are taken",
                written->size());
  }
  std::vector<Prefix> all;
  for (const std::string& one : *written) {
    Result<Prefix> prefix = Prefix::parse(one);
    if (!prefix) return fail(std::move(prefix).error());
    all.push_back(*prefix);
  }
  std::vector<Prefix> out;
  for (std::size_t i = 0; i < all.size(); ++i) {
    bool said = false;
    for (std::size_t j = 0; j < all.size() && !said; ++j) {
      // Of two that are equal the first stays.
      said = i != j && within(all[i], all[j]) && (all[i] != all[j] || j < i);
    }
    if (!said) out.push_back(all[i]);
  }
  return out;
}

Result<std::vector<Prefix>> pools(const toml::node& node) {
  Result<std::vector<Prefix>> out = prefixes(node);
  if (!out) return out;
  for (const char* never : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127",
                            "fe80::/10", "ff00::/8"}) {
    const Prefix outer = Prefix::parse(never).value();
    for (const Prefix& prefix : *out) {
      if (within(prefix, outer)) {
        return fail(ErrorCode::kBadInput, "{} lies in {}, of which no address can be a floating IP",
                    prefix, outer);
      }
    }
  }
  return out;
}

Result<std::string> word_of(const toml::node& node, std::span<const std::string_view> words) {
  std::string list;
  for (const std::string_view word : words) {
    const std::string_view comma = word == words.back() ? " or " : ", ";
    list += fmt::format("{}\"{}\"", list.empty() ? "" : comma, word);
  }
  const auto* value = node.as_string();
  if (value == nullptr) return wrong_kind(node, list);
  if (std::find(words.begin(), words.end(), value->get()) == words.end()) {
    return fail(ErrorCode::kBadInput, "'{}' is not {}{}", printable(value->get()), list,
                suggestion(value->get(), words));
  }
  return value->get();
}

Result<std::string> host_name(const toml::node& node) {
  Result<std::string> name = text(node);
  const std::string allowed = std::string(kLetters) + std::string(kDigits) + "-._";
  if (name && (name->size() > 253 || name->find_first_not_of(allowed) != std::string::npos)) {
    return fail(ErrorCode::kBadInput,
                "'{}' is not a host's name: letters, digits, '-', '_' and "
                "'.' only",
                printable(*name));
  }
  return name;
}

Result<std::string> group_name(const toml::node& node) {
  Result<std::string> name = text(node);
  if (name && !is_name(*name, "_-.", 32)) {
    return fail(ErrorCode::kBadInput, "'{}' is not a group's name", printable(*name));
  }
  return name;
}

Result<std::string> nft_name(const toml::node& node) {
  // Words of the language that somebody might think of; nft would take none for a name.
  constexpr std::string_view kKeywords[] = {
      "table",  "chain",  "map",     "set",   "rule",  "ip",         "ip6",      "inet",
      "arp",    "bridge", "netdev",  "dnat",  "snat",  "masquerade", "redirect", "ct",
      "meta",   "fib",    "counter", "limit", "quota", "log",        "accept",   "drop",
      "return", "jump",   "goto",    "type",  "hook",  "policy",     "flowtable"};
  Result<std::string> name = text(node);
  if (!name) return name;
  if (!is_name(*name, "_-", 63)) {
    return fail(ErrorCode::kBadInput,
                "'{}' is not a name for nft: a letter or '_', then letters, "
                "digits, '_' and '-', at most 63",
                printable(*name));
  }
  if (std::find(std::begin(kKeywords), std::end(kKeywords), *name) != std::end(kKeywords)) {
    return fail(ErrorCode::kBadInput, "'{}' is a word of nft's language: write another name",
                *name);
  }
  return name;
}

Result<nat::Endpoint> address_and_port(std::string_view written) {
  const std::size_t colon = written.rfind(':');
  std::string_view host = written.substr(0, std::min(colon, written.size()));
  const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  const Result<IpAddress> address = parse_address(host);
  nat::Endpoint out;
  const char* end = written.data() + written.size();
  const char* start = colon == std::string_view::npos ? end : written.data() + colon + 1;
  const auto [after, error] = std::from_chars(start, end, out.port);
  if (!address || address->is_v6() != brackets || error != std::errc() || after != end ||
      out.port == 0) {
    return fail(ErrorCode::kBadInput,
                "'{}' is not an address with a port: write \"127.0.0.1:9472\" or \"[::1]:9472\"",
                printable(written));
  }
  out.address = *address;
  return out;
}

Result<std::string> listen_address(const toml::node& node) {
  Result<std::string> written = text(node);
  if (!written || written->empty()) return written;
  const Result<nat::Endpoint> parsed = address_and_port(*written);
  if (!parsed) return fail(parsed.error());
  return written;
}

Result<std::uint32_t> route_table(const toml::node& node) {
  const Result<std::uint64_t> table = integer(node, 1, UINT32_MAX);
  if (!table) return fail(table.error());
  if (*table >= 253 && *table <= 255) {
    return fail(ErrorCode::kBadInput,
                "{} is the system's own table (default, main, local): write "
                "one that nobody uses, like 172",
                *table);
  }
  return static_cast<std::uint32_t>(*table);
}

Result<unsigned> route_protocol(const toml::node& node) {
  const Result<std::uint64_t> protocol = integer(node, 5, 255);
  if (!protocol) return fail(protocol.error());
  for (const Reserved& reserved : kReserved) {
    if (reserved.protocol != *protocol) continue;
    return fail(ErrorCode::kBadInput,
                "{} is the protocol number of {}: write one that nobody "
                "uses, like 172",
                *protocol, reserved.owner);
  }
  return static_cast<unsigned>(*protocol);
}

}  // namespace fipd::config_values
