#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/result.h"

namespace fipd {

// etcd's v3 messages as its JSON gateway writes them (etcd 3.4 and newer, api/etcdserverpb): keys
// and values in base64, 64-bit numbers as strings, zero values left out. Pure. What does not have
// that form is kBadInput; unknown members are ignored.

struct EtcdHeader {
  std::uint64_t cluster = 0;
  std::int64_t revision = 0;

  friend bool operator==(const EtcdHeader&, const EtcdHeader&) = default;
};

struct EtcdPair {
  std::string key;
  std::string value;
  std::int64_t revision = 0;  // mod_revision

  friend bool operator==(const EtcdPair&, const EtcdPair&) = default;
};

// /v3/kv/range. `end` is the first key behind the range; empty: `key` alone.
struct EtcdRange {
  std::string key;
  std::string end;
  std::int64_t revision = 0;  // 0: now
  std::int64_t limit = 0;     // 0: no limit
};
struct EtcdRangeReply {
  EtcdHeader header;
  std::vector<EtcdPair> pairs;  // by key
  bool more = false;
};
[[nodiscard]] std::string to_json(const EtcdRange& range);
[[nodiscard]] Result<EtcdRangeReply> range_reply(std::string_view json);

// /v3/watch: one request, then a stream of lines.
struct EtcdEvent {
  bool removed = false;
  EtcdPair pair;  // of a removal without a value

  friend bool operator==(const EtcdEvent&, const EtcdEvent&) = default;
};
struct EtcdWatchReply {
  EtcdHeader header;
  bool created = false;
  // The watch is over, although the stream stays open: `compacted` says that what it wanted to
  // begin with is no more (0 otherwise), `reason` is etcd's word.
  bool canceled = false;
  std::int64_t compacted = 0;
  std::string reason;
  std::vector<EtcdEvent> events;  // none: a sign of life, up to date at header.revision
};
// From `revision` on, with signs of life (progress_notify).
[[nodiscard]] std::string watch_request(const EtcdRange& range);
[[nodiscard]] Result<EtcdWatchReply> watch_reply(std::string_view line);

// /v3/kv/txn, as far as it is used: puts (under a lease where not 0) and deletions, without
// conditions. At most kMostInTransaction of both.
inline constexpr std::size_t kMostInTransaction = 128;  // etcd's --max-txn-ops
struct EtcdWrite {
  std::string key;
  std::optional<std::string> value;  // none: delete
};
[[nodiscard]] std::string transaction(const std::vector<EtcdWrite>& writes, std::int64_t lease);

// /v3/lease/grant and /v3/lease/keepalive. Seconds to live; 0: there is no such lease any more.
struct EtcdLease {
  std::int64_t id = 0;
  std::int64_t seconds = 0;
};
[[nodiscard]] std::string lease_request(std::int64_t seconds);
[[nodiscard]] std::string keepalive_request(std::int64_t id);
[[nodiscard]] Result<EtcdLease> lease_reply(std::string_view json);

// /v3/auth/authenticate.
[[nodiscard]] std::string login_request(std::string_view user, std::string_view password);
[[nodiscard]] Result<std::string> login_reply(std::string_view json);

// What an answer other than 200, or an error in a stream, says: {"error": ..., "code": ...}.
[[nodiscard]] std::string error_words(std::string_view json);

// The first key behind all that begin with `prefix`.
[[nodiscard]] std::string end_of_prefix(std::string prefix);

}  // namespace fipd
