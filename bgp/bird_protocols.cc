#include "bgp/bird_protocols.h"

#include <optional>
#include <string_view>
#include <utility>

#include "bgp/bird_words.h"

namespace fipd::bgp {
namespace {

using words::take_word;
using words::trimmed;
using words::value_of;

// A BIRD with more is not the one beside a compute host's fipd.
constexpr std::size_t kMaxChannels = 16;

std::optional<BirdProtocol> protocol_row(std::string_view text) {
  BirdProtocol row;
  row.name = take_word(text);
  row.proto = take_word(text);
  row.table = take_word(text);
  row.state = quotable(take_word(text));
  row.since = take_word(text);
  if (row.since.empty()) return std::nullopt;
  std::string_view after = text;
  const std::string_view next = take_word(after);
  // A date and a time are two words; "21:04:37.343" alone is one.
  const bool is_time = !next.empty() && words::is_digit(next[0]) && next.find(':') != next.npos;
  if (is_time && row.since.find(':') == std::string::npos) {
    row.since.append(" ").append(next);
    text = after;
  }
  row.since = quotable(row.since);
  row.info = quotable(trimmed(text));
  return row;
}

// The last column is "accepted" in every version; between it and the first, 3.x has more.
std::uint64_t accepted(std::string_view columns) {
  const std::size_t before = columns.find_last_of(words::kBlank);
  if (before != std::string_view::npos) columns.remove_prefix(before + 1);
  return words::number_at<std::uint64_t>(columns).value_or(0);
}

std::uint64_t third(std::string_view columns) {
  take_word(columns);
  take_word(columns);
  return words::number_at<std::uint64_t>(take_word(columns)).value_or(0);
}

void channel_line(BirdChannel& channel, std::string_view text) {
  const auto take = [text](std::string_view key, std::string& into) {
    if (const auto value = value_of(key, text)) into = quotable(*value);
  };
  take("State:", channel.state);
  take("Table:", channel.table);
  take("Peer table:", channel.peer_table);
  take("Input filter:", channel.import_filter);
  take("Output filter:", channel.export_filter);
  // A pipe's words.
  take("Import filter:", channel.import_filter);
  take("Export filter:", channel.export_filter);
  if (const auto value = value_of("Preference:", text)) {
    channel.preference = words::number_at<std::uint32_t>(*value).value_or(0);
  }
  if (const auto value = value_of("Export limit:", text)) {
    channel.export_limit_hit = value->find("[HIT]") != value->npos;
  }
  if (const auto value = value_of("Import updates:", text)) {
    channel.filtered = third(*value);
    channel.imports += accepted(*value);
  }
  if (const auto value = value_of("Import withdraws:", text)) channel.imports += accepted(*value);
  if (const auto value = value_of("Export updates:", text)) channel.exports += accepted(*value);
  if (const auto value = value_of("Export withdraws:", text)) channel.exports += accepted(*value);
}

void detail_line(BirdProtocol& protocol, std::string_view text) {
  if (const auto name = value_of("Channel ", text)) {
    if (protocol.channels.size() == kMaxChannels) return;
    protocol.channels.emplace_back().name = quotable(*name);
    return;
  }
  if (!protocol.channels.empty()) return channel_line(protocol.channels.back(), text);
  const auto take = [text](std::string_view key, std::string& into) {
    if (const auto value = value_of(key, text)) into = quotable(*value);
  };
  take("Neighbor address:", protocol.neighbor);
  take("Neighbor AS:", protocol.neighbor_as);
  take("Last error:", protocol.last_error);
}

}  // namespace

Result<std::vector<BirdProtocol>> parse_protocols(const BirdReply& reply) {
  constexpr unsigned kRow = 1002;
  constexpr unsigned kDetail = 1006;
  if (!reply.ok()) return refused(reply);
  std::vector<BirdProtocol> protocols;
  bool known = false;  // whether the details that follow belong to the last of them
  BirdReply::Lines lines = reply.lines();
  while (const auto line = lines.next()) {
    if (line->code == kDetail && known) detail_line(protocols.back(), line->text);
    if (line->code != kRow) continue;
    auto row = protocol_row(line->text);
    known = row.has_value();
    if (row) protocols.push_back(std::move(*row));
  }
  return protocols;
}

}  // namespace fipd::bgp
