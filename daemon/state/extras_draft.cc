#include "daemon/state/extras_draft.h"

#include <span>

#include "daemon/state/forward.h"
#include "daemon/state/suggestion.h"

namespace fipd {
namespace {

// The kernel counts a byte limit in nanoseconds times bytes, in 64 bits (nft_limit.c): rate and
// burst together must stay below 18 GB.
constexpr std::int64_t kMostBits = 100'000'000'000;
constexpr std::int64_t kLeastBits = 8'000;
constexpr std::int64_t kMostBurst = 4'000'000'000;
constexpr std::int64_t kMostConnections = 100'000'000;
constexpr std::int64_t kMostNewConnections = 10'000'000;
// What receive offload hands on as one packet. A bucket that is smaller would drop it always.
constexpr std::uint64_t kLeastBucket = 65536;

constexpr std::string_view kLimitKeys[] = {"in_bits",    "in_burst",        "out_bits",
                                           "out_burst",  "new_connections", "new_connections_burst",
                                           "connections"};

template <typename T>
Outcome set_number(const Word& word, std::int64_t least, std::int64_t most, T& out) {
  const auto wanted = [&] { return fmt::format("a whole number from {} to {}", least, most); };
  if (!word.number) return wrong_kind(word, wanted());
  if (*word.number < least || *word.number > most) {
    return fail(ErrorCode::kBadInput, "{} is out of range: write {}", *word.number, wanted());
  }
  out = static_cast<T>(*word.number);
  return success();
}

Outcome set_bits(const Word& word, std::uint64_t& out) {
  if (Outcome set = set_number(word, 0, kMostBits, out); !set) return set;
  if (out == 0 || out >= static_cast<std::uint64_t>(kLeastBits)) return success();
  return fail(ErrorCode::kBadInput, "{} bit/s is too little: write {} or more, or 0 for no limit",
              out, kLeastBits);
}

Outcome set_forwards(const Word& word, std::vector<Forward>& out) {
  constexpr std::string_view kWanted = "[\"tcp/443=10.65.0.13:8443\"]";
  if (!word.list) return wrong_kind(word, kWanted);
  if (word.list->empty()) {
    return fail(ErrorCode::kBadInput, "is empty: write {}, or leave it out", kWanted);
  }
  if (word.list->size() > kMaxForwardedPorts) {
    return fail(ErrorCode::kLimit, "{} are more than the {} ports that one floating IP forwards",
                word.list->size(), kMaxForwardedPorts);
  }
  out.clear();
  out.reserve(word.list->size());
  for (std::size_t i = 0; i < word.list->size(); ++i) {
    const Word& entry = (*word.list)[i];
    if (!entry.text) {
      return fail(ErrorCode::kBadInput, "entry {} is {}: write \"tcp/443=10.65.0.13:8443\"", i + 1,
                  entry.kind);
    }
    auto forward = parse_forward(*entry.text);
    if (!forward) return fail(std::move(forward).error());
    out.push_back(*std::move(forward));
  }
  return put_in_order(out);
}

Outcome set_limits(const Word& word, std::optional<Limits>& out) {
  if (!word.table) return wrong_kind(word, "the limits with their names, like in_bits");
  Limits limits;
  for (const Word& each : *word.table) {
    if (Outcome set = set_limit(each.key, each, limits); !set) {
      return fail(std::move(set).error().within(printable(each.key)));
    }
  }
  if (Outcome fits = check_limits(limits); !fits) return fits;
  out = limits;
  return success();
}

Outcome set_check(const Word& word, std::optional<HealthCheck>& out) {
  constexpr std::string_view kWanted = "\"tcp/443\" or \"icmp\"";
  if (!word.text) return wrong_kind(word, kWanted);
  if (*word.text == "icmp") {
    out = HealthCheck{};
    return success();
  }
  constexpr std::string_view kTcp = "tcp/";
  if (word.text->starts_with(kTcp)) {
    if (const auto port = parse_port(word.text->substr(kTcp.size()))) {
      out = HealthCheck{HealthCheck::Kind::kTcp, *port};
      return success();
    }
  }
  return fail(ErrorCode::kBadInput, "'{}' is not a health check: write {}", printable(*word.text),
              kWanted);
}

}  // namespace

Outcome set_limit(std::string_view key, const Word& word, Limits& limits) {
  if (key == "in_bits") return set_bits(word, limits.in_bits);
  if (key == "out_bits") return set_bits(word, limits.out_bits);
  if (key == "in_burst") return set_number(word, 0, kMostBurst, limits.in_burst);
  if (key == "out_burst") return set_number(word, 0, kMostBurst, limits.out_burst);
  if (key == "new_connections") {
    return set_number(word, 0, kMostNewConnections, limits.new_connections);
  }
  if (key == "new_connections_burst") {
    return set_number(word, 0, kMostNewConnections, limits.new_connections_burst);
  }
  if (key == "connections") return set_number(word, 0, kMostConnections, limits.connections);
  return fail(ErrorCode::kBadInput, "is not known{}", suggestion(key, kLimitKeys));
}

Outcome check_limits(const Limits& limits) {
  const auto direction = [](std::string_view name, std::uint64_t bits,
                            std::uint64_t burst) -> Outcome {
    if (burst == 0) return success();
    if (bits == 0) {
      return fail(ErrorCode::kBadInput, "{0}_burst is without {0}_bits: write that, too", name);
    }
    if (bits / 8 + burst >= kLeastBucket) return success();
    return fail(ErrorCode::kBadInput,
                "{0}_burst = {1} would drop packets that the network card has merged: write {0}_"
                "burst = {2}, or leave it out",
                name, burst, kLeastBucket);
  };
  if (Outcome in = direction("in", limits.in_bits, limits.in_burst); !in) return in;
  if (Outcome out = direction("out", limits.out_bits, limits.out_burst); !out) return out;
  if (limits.new_connections_burst != 0 && limits.new_connections == 0) {
    return fail(ErrorCode::kBadInput,
                "new_connections_burst is without new_connections: write that, too");
  }
  return success();
}

Result<bool> set_extra(std::string_view key, const Word& word, Rare<Extras>& extras) {
  const auto done = [](Outcome set) -> Result<bool> {
    if (!set) return fail(std::move(set).error());
    return true;
  };
  if (key == "forwards") return done(set_forwards(word, extras.edit().forwards));
  if (key == "limits") return done(set_limits(word, extras.edit().limits));
  if (key == "preference") {
    unsigned preference = 0;
    Outcome set = set_number(word, 0, 200, preference);
    if (set) extras.edit().preference = preference;
    return done(std::move(set));
  }
  if (key == "color") return done(set_number(word, 1, 65535, extras.edit().color));
  if (key == "shared") {
    if (!word.flag) return wrong_kind(word, "true or false");
    if (*word.flag || !extras.is_usual()) extras.edit().shared = *word.flag;
    return true;
  }
  if (key == "check") return done(set_check(word, extras.edit().check));
  return false;
}

}  // namespace fipd
