#include "daemon/sources/etcd/snapshot_store.h"

#include <string>
#include <string_view>
#include <system_error>

#include <sqlite3.h>

namespace fipd {
namespace {

constexpr const char* kSchema =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
    "CREATE TABLE IF NOT EXISTS pair("
    "  key BLOB PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS header("
    "  one INTEGER PRIMARY KEY CHECK(one = 1), cluster INTEGER NOT NULL, revision INTEGER NOT "
    "NULL);";

constexpr const char* kPut = "INSERT OR REPLACE INTO pair VALUES(?,?,?)";

bool is_damaged(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

}  // namespace

// One use of one statement.
class SnapshotStore::Statement {
 public:
  Statement(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int at, std::int64_t number) {
    sqlite3_bind_int64(statement_, at, number);
    return *this;
  }
  // Of a statement that could not be made: SQLITE_MISUSE.
  [[nodiscard]] int step() { return sqlite3_step(statement_); }
  void again() { sqlite3_reset(statement_); }
  [[nodiscard]] std::string bytes(int column) {
    const void* data = sqlite3_column_blob(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
  }
  [[nodiscard]] std::int64_t number(int column) { return sqlite3_column_int64(statement_, column); }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

SnapshotStore::~SnapshotStore() { sqlite3_close(db_); }

tl::unexpected<Error> SnapshotStore::failure(const char* doing) {
  damaged_ = damaged_ || is_damaged(sqlite3_errcode(db_));
  return fail(ErrorCode::kUnavailable, "etcd's last snapshot {}: {}: {}", path_.string(), doing,
              sqlite3_errmsg(db_));
}

Outcome SnapshotStore::run(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure("write");
  return success();
}

Outcome SnapshotStore::open_file() {
  if (sqlite3_open(path_.c_str(), &db_) != SQLITE_OK) return failure("open");
  return run(kSchema);
}

Outcome SnapshotStore::make_anew() {
  sqlite3_close(db_);
  db_ = nullptr;
  std::error_code ignored;
  for (const char* tail : {"", "-wal", "-shm"})
    std::filesystem::remove(path_.string() + tail, ignored);
  Outcome made = open_file();
  damaged_ = damaged_ && !made;
  return made;
}

Result<std::unique_ptr<SnapshotStore>> SnapshotStore::open(const std::filesystem::path& path) {
  std::unique_ptr<SnapshotStore> store(new SnapshotStore(path));
  Outcome opened = store->open_file();
  if (!opened && store->damaged_) opened = store->make_anew();
  if (!opened) return fail(std::move(opened).error());
  return store;
}

Result<EtcdSnapshot> SnapshotStore::load() {
  EtcdSnapshot out;
  Statement header(db_, "SELECT cluster, revision FROM header");
  int code = header.step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return failure("read");
  if (code == SQLITE_DONE) return out;
  out.header = {static_cast<std::uint64_t>(header.number(0)), header.number(1)};
  Statement rows(db_, "SELECT key, value, revision FROM pair ORDER BY key");
  for (code = rows.step(); code == SQLITE_ROW; code = rows.step()) {
    out.pairs.push_back({rows.bytes(0), rows.bytes(1), rows.number(2)});
  }
  if (code != SQLITE_DONE) return failure("read");
  return out;
}

Outcome SnapshotStore::transaction(const EtcdHeader& header,
                                   const std::function<Outcome()>& write) {
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  Outcome done = write();
  if (done) {
    Statement note(db_, "INSERT OR REPLACE INTO header VALUES(1,?,?)");
    note.bind(1, static_cast<std::int64_t>(header.cluster)).bind(2, header.revision);
    if (note.step() != SQLITE_DONE) done = failure("write");
  }
  if (done) done = run("COMMIT");
  if (!done) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  return done;
}

// The damage of a page shows when the page is read, perhaps only here, where all are emptied.
Outcome SnapshotStore::replace(const EtcdSnapshot& snapshot) {
  if (!damaged_) {
    Outcome written = write_whole(snapshot);
    if (!damaged_) return written;
  }
  if (auto made = make_anew(); !made) return made;
  return write_whole(snapshot);
}

Outcome SnapshotStore::write_whole(const EtcdSnapshot& snapshot) {
  return transaction(snapshot.header, [&]() -> Outcome {
    if (auto emptied = run("DELETE FROM pair"); !emptied) return emptied;
    Statement put(db_, kPut);
    for (const EtcdPair& pair : snapshot.pairs) {
      put.bind(1, pair.key).bind(2, pair.value).bind(3, pair.revision);
      if (put.step() != SQLITE_DONE) return failure("write");
      put.again();
    }
    return success();
  });
}

Outcome SnapshotStore::apply(const EtcdHeader& header, std::span<const EtcdEvent> events) {
  return transaction(header, [&]() -> Outcome {
    Statement put(db_, kPut);
    Statement remove(db_, "DELETE FROM pair WHERE key = ?");
    for (const EtcdEvent& event : events) {
      Statement& statement = event.removed ? remove : put;
      statement.bind(1, event.pair.key);
      if (!event.removed) statement.bind(2, event.pair.value).bind(3, event.pair.revision);
      if (statement.step() != SQLITE_DONE) return failure("write");
      statement.again();
    }
    return success();
  });
}

}  // namespace fipd
