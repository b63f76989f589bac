#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/sources/etcd/etcd_message.h"

struct sqlite3;  // SQLite

namespace fipd {

// What etcd last said of this host.
struct EtcdSnapshot {
  EtcdHeader header;
  std::vector<EtcdPair> pairs;
};

// The last complete snapshot of etcd on disk (SQLite), for a start without etcd. A copy of what
// etcd has: a file that is found damaged, when it is opened or later, is made anew with the next
// replace(), and a lost last second is fetched again, so it is synced only where SQLite's log is
// folded. One caller at a time, from any thread.
class SnapshotStore {
 public:
  // Failures name the file (kUnavailable).
  [[nodiscard]] static Result<std::unique_ptr<SnapshotStore>> open(
      const std::filesystem::path& path);
  ~SnapshotStore();
  SnapshotStore(const SnapshotStore&) = delete;
  SnapshotStore& operator=(const SnapshotStore&) = delete;

  // Header zero and no pairs where nothing was ever saved. A failure: nothing of it can be had, and
  // only replace() can follow.
  [[nodiscard]] Result<EtcdSnapshot> load();
  // In the place of all that was there.
  [[nodiscard]] Outcome replace(const EtcdSnapshot& snapshot);
  [[nodiscard]] Outcome apply(const EtcdHeader& header, std::span<const EtcdEvent> events);

 private:
  class Statement;

  explicit SnapshotStore(std::filesystem::path path) : path_(std::move(path)) {}
  [[nodiscard]] Outcome open_file();
  [[nodiscard]] Outcome make_anew();
  [[nodiscard]] Outcome write_whole(const EtcdSnapshot& snapshot);
  [[nodiscard]] Outcome run(const char* sql);
  // `write` between BEGIN and COMMIT, and the header with it.
  [[nodiscard]] Outcome transaction(const EtcdHeader& header,
                                    const std::function<Outcome()>& write);
  [[nodiscard]] tl::unexpected<Error> failure(const char* doing);

  std::filesystem::path path_;
  sqlite3* db_ = nullptr;
  bool damaged_ = false;  // as a failure told
};

}  // namespace fipd
