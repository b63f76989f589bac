#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/base/result.h"
#include "daemon/state/binding.h"

struct sqlite3;       // SQLite
struct sqlite3_stmt;  // SQLite

namespace fipd {

struct StoredBinding {
  Binding binding;
  std::uint64_t revision = 0;

  friend bool operator==(const StoredBinding&, const StoredBinding&) = default;
};

// One step of a commit: a binding added or replaced, a binding gone (also where there was none), a
// word of the daemon's own.
struct StoreRemoval {
  IpAddress floating;
};
struct StoreMeta {
  std::string key;
  std::string value;
};
// A floating IP is drained, or not any more; without one, the host. The host's end ends all.
struct StoreDrain {
  std::optional<IpAddress> floating;
  bool drained = true;
};
using StoreChange = std::variant<StoredBinding, StoreRemoval, StoreMeta, StoreDrain>;

struct StoredDrains {
  bool host = false;
  std::vector<IpAddress> floatings;

  friend bool operator==(const StoredDrains&, const StoredDrains&) = default;
};

// The bindings of the control API on disk: SQLite, WAL, synchronous=FULL. Blocks on fsync. One
// caller at a time, from any thread. Held exclusively: a second daemon on the same file is refused,
// and so is the sqlite3 shell while the daemon runs. Failures name the remedy, and have an
// os_error() where the disk is to blame: read-only, full, failing.
class Store {
 public:
  // Makes the file (0600) in a directory that exists, brings an older schema up to date, checks
  // the file's integrity. A newer schema, a foreign or damaged file is refused, and left as it is.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path);
  // What the store at `path` holds, for reading only: where its disk lets nobody open it. Copies it
  // into a directory of its own below `scratch`, which is gone when this returns.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open_copy(
      const std::filesystem::path& path, const std::filesystem::path& scratch);

  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  [[nodiscard]] Result<std::vector<StoredBinding>> load();
  [[nodiscard]] Result<StoredDrains> drains();
  // Empty where the key was never set.
  [[nodiscard]] Result<std::optional<std::string>> meta(std::string_view key);
  // One transaction, on disk when it returns. On failure the old state stands, and the next commit
  // may well succeed.
  [[nodiscard]] Outcome commit(std::span<const StoreChange> changes);

 private:
  Store(std::filesystem::path path, sqlite3* db);
  class Statement;

  // `file` is opened; errors speak of `path`.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open_file(const std::filesystem::path& file,
                                                                const std::filesystem::path& path);
  [[nodiscard]] Outcome prepare();  // schema and statements
  [[nodiscard]] Outcome check_owner();
  [[nodiscard]] Outcome upgrade();
  [[nodiscard]] Outcome run(const char* sql);
  [[nodiscard]] Result<std::int64_t> number(const char* sql);
  [[nodiscard]] Outcome apply(const StoreChange& change);
  [[nodiscard]] int apply(const StoreDrain& change);
  [[nodiscard]] Error error(std::string_view doing, int code) const;
  [[nodiscard]] Error failure(std::string_view doing) const;

  std::filesystem::path path_;
  sqlite3* db_;
  sqlite3_stmt* put_ = nullptr;
  sqlite3_stmt* remove_ = nullptr;
  sqlite3_stmt* put_meta_ = nullptr;
  sqlite3_stmt* drain_ = nullptr;
  sqlite3_stmt* undrain_ = nullptr;
};

}  // namespace fipd
