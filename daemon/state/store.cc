#include "daemon/state/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <utility>

#include <sqlite3.h>

#include "daemon/state/binding_draft.h"
#include "daemon/state/document.h"
#include "daemon/state/scratch_copy.h"

namespace fipd {
namespace {

constexpr int kApplicationId = 0x66697064;  // "fipd", in the file's header

// Step i brings schema version i to i + 1. A released step is never changed; a new one is added.
constexpr const char* kUpgrades[] = {
    "CREATE TABLE binding("
    "  floating TEXT PRIMARY KEY, fixed TEXT NOT NULL, interface TEXT NOT NULL, id TEXT NOT NULL,"
    "  port TEXT NOT NULL, is_primary INTEGER NOT NULL, revision INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",
    // JSON, '' where all is usual; `fixed` is '' where there are forwards.
    "ALTER TABLE binding ADD COLUMN extras TEXT NOT NULL DEFAULT '';",
    // What is drained: an address, or "host".
    "CREATE TABLE drain(what TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;",
};
constexpr std::int64_t kSchema = std::size(kUpgrades);

// SQLite holds its own lock for this long against a short-lived reader.
constexpr int kBusyMilliseconds = 200;

constexpr std::string_view kHost = "host";  // in the table `drain`

// SQLite would make it readable to all.
Outcome make_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return success();
  }
  const int number = errno;
  std::string_view remedy = "give another [store] path, or make it writable for fipd";
  if (number == ENOENT) remedy = "make its directory first, or give another [store] path";
  if (number == ENOSPC || number == EDQUOT) remedy = "make room on its disk";
  if (number == EROFS) remedy = "its disk is mounted read-only";
  return fail_errno(number, fmt::format("store {}: open ({})", path.string(), remedy),
                    ErrorCode::kUnavailable);
}

// The disk's word behind a code of SQLite, 0 where the disk is not to blame.
int disk_error(sqlite3* db, int code) {
  const int said = sqlite3_system_errno(db);
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ENOSPC;
    case SQLITE_READONLY:
      return EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
      return said != 0 ? said : EACCES;
    case SQLITE_IOERR:
      return said != 0 ? said : EIO;
    default:
      return 0;
  }
}

// Who holds SQLite's lock on the file, 0 where nobody does. SQLite locks bytes from here on (its
// file format says so). POSIX gives up all locks of a process that closes the file: not to be asked
// of a file that this process has open.
pid_t lock_holder(const std::filesystem::path& file) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 0x40000000;
  lock.l_len = 512;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const bool held = fd >= 0 && ::fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  if (fd >= 0) ::close(fd);
  return held ? lock.l_pid : 0;
}

// False where it is none that we could have written.
bool read_target(std::string_view floating, std::string_view fixed, std::string_view extras,
                 Binding& out) {
  const Result<IpAddress> address = parse_address(floating);
  Result<Rare<Extras>> read = extras_from_text(extras);
  if (!address || !read) return false;
  out.floating = *address;
  out.extras = *std::move(read);
  if (!out.forwards().empty()) return fixed.empty() && check_target(out);
  const Result<IpAddress> target = parse_address(fixed);
  if (!target) return false;
  out.fixed = *target;
  return check_target(out).has_value();
}

Error held_by(const std::filesystem::path& path, pid_t holder) {
  const std::string who = holder != 0 ? fmt::format(" (process {})", holder) : "";
  return Error(ErrorCode::kUnavailable,
               fmt::format("store {}: is in use by another fipd{}: stop that one, or give another "
                           "[store] path",
                           path.string(), who));
}

}  // namespace

// A prepared statement between two uses of it. Texts must outlive the step.
class Store::Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  Statement& bind(std::string_view text) {
    // An empty string_view may hold a null pointer, which SQLite takes for NULL.
    const char* data = text.empty() ? "" : text.data();
    sqlite3_bind_text64(statement_, ++next_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  Statement& bind(std::int64_t value) {
    sqlite3_bind_int64(statement_, ++next_, value);
    return *this;
  }
  [[nodiscard]] int step() { return sqlite3_step(statement_); }
  [[nodiscard]] std::string_view text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  [[nodiscard]] std::int64_t integer(int column) const {
    return sqlite3_column_int64(statement_, column);
  }

 private:
  sqlite3_stmt* statement_;
  int next_ = 0;
};

namespace {

// A statement for one use.
class Query {
 public:
  Query(sqlite3* db, const char* sql) { sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() { sqlite3_finalize(statement_); }
  // Null where SQLite refused it.
  [[nodiscard]] sqlite3_stmt* get() const { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

Store::Store(std::filesystem::path path, sqlite3* db) : path_(std::move(path)), db_(db) {}

Store::~Store() {
  sqlite3_finalize(put_);
  sqlite3_finalize(remove_);
  sqlite3_finalize(put_meta_);
  sqlite3_finalize(drain_);
  sqlite3_finalize(undrain_);
  sqlite3_close(db_);
}

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& path) {
  if (Outcome made = make_file(path); !made) return fail(std::move(made).error());
  return open_file(path, path);
}

Result<std::unique_ptr<Store>> Store::open_copy(const std::filesystem::path& path,
                                                const std::filesystem::path& scratch) {
  // Where fipd may not write the file, its lock was never asked for.
  if (const pid_t holder = lock_holder(path); holder != 0) return fail(held_by(path, holder));
  const Result<ScratchCopy> copy = ScratchCopy::make(path, scratch);
  if (!copy) return fail(copy.error());
  // By the time it is open, SQLite holds all its files: they need no names any more.
  return open_file(copy->file(), path);
}

Result<std::unique_ptr<Store>> Store::open_file(const std::filesystem::path& file,
                                                const std::filesystem::path& path) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int opened = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
  std::unique_ptr<Store> store(new Store(path, db));
  if (opened != SQLITE_OK) return fail(store->error("open", opened));
  sqlite3_busy_timeout(db, kBusyMilliseconds);
  if (Outcome prepared = store->prepare(); !prepared) return fail(std::move(prepared).error());
  return store;
}

Outcome Store::prepare() {
  // EXCLUSIVE before the first access: no shared memory file, and nobody else gets in.
  if (Outcome done = run("PRAGMA locking_mode=EXCLUSIVE"); !done) return done;
  if (Outcome done = check_owner(); !done) return done;
  if (Outcome done = run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                         "PRAGMA journal_size_limit=16777216; BEGIN IMMEDIATE; COMMIT");
      !done) {
    return done;
  }
  if (Outcome done = upgrade(); !done) return done;

  Query check(db_, "PRAGMA quick_check(1)");
  Statement checked(check.get());
  if (check.get() == nullptr || checked.step() != SQLITE_ROW) return fail(failure("check"));
  if (checked.text(0) != "ok") {
    return fail(error(fmt::format("check ({})", checked.text(0)), SQLITE_CORRUPT));
  }

  const auto make = [this](const char* sql, sqlite3_stmt*& out) {
    return sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &out, nullptr) == SQLITE_OK;
  };
  const bool made = make("INSERT OR REPLACE INTO binding VALUES(?,?,?,?,?,?,?,?)", put_) &&
                    make("DELETE FROM binding WHERE floating = ?", remove_) &&
                    make("INSERT OR REPLACE INTO meta VALUES(?,?)", put_meta_) &&
                    make("INSERT OR REPLACE INTO drain VALUES(?)", drain_) &&
                    make("DELETE FROM drain WHERE what = ?1 OR ?1 = 'host'", undrain_);
  return made ? success() : fail(failure("prepare"));
}

Outcome Store::check_owner() {
  const Result<std::int64_t> owner = number("PRAGMA application_id");
  if (!owner) return fail(owner.error());
  const Result<std::int64_t> tables = number("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables.error());
  const Result<std::int64_t> version = number("PRAGMA user_version");
  if (!version) return fail(version.error());

  const bool fresh = *owner == 0 && *tables == 0 && *version == 0;
  if (*owner != kApplicationId && !fresh) {
    return fail(ErrorCode::kUnavailable,
                "store {}: is a database of another program: give another [store] path",
                path_.string());
  }
  if (*version > kSchema) {
    return fail(ErrorCode::kUnavailable,
                "store {}: was written by a newer fipd (schema {}, this one knows {}): install "
                "that version again",
                path_.string(), *version, kSchema);
  }
  return success();
}

Outcome Store::upgrade() {
  const Result<std::int64_t> version = number("PRAGMA user_version");
  if (!version) return fail(version.error());
  for (std::int64_t at = *version; at < kSchema; ++at) {
    const std::string step =
        fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT",
                    kUpgrades[at], kApplicationId, at + 1);
    if (Outcome done = run(step.c_str()); !done) {
      Error error = std::move(done).error().within("upgrade of the schema");
      if (sqlite3_get_autocommit(db_) == 0)
        sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
      return fail(std::move(error));
    }
  }
  return success();
}

Result<std::vector<StoredBinding>> Store::load() {
  Query count(db_, "SELECT count(*) FROM binding");
  Query query(db_,
              "SELECT floating, fixed, interface, id, port, is_primary, revision, extras "
              "FROM binding");
  if (count.get() == nullptr || query.get() == nullptr) return fail(failure("read"));
  std::vector<StoredBinding> out;
  Statement size(count.get());
  if (size.step() == SQLITE_ROW) out.reserve(static_cast<std::size_t>(size.integer(0)));
  Statement row(query.get());
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    StoredBinding& stored = out.emplace_back();
    if (!read_target(row.text(0), row.text(1), row.text(7), stored.binding)) {
      return fail(error(fmt::format("read the binding '{}'", row.text(0)), SQLITE_CORRUPT));
    }
    stored.binding.interface = row.text(2);
    stored.binding.id = row.text(3);
    stored.binding.port = row.text(4);
    stored.binding.primary = row.integer(5) != 0;
    stored.revision = static_cast<std::uint64_t>(row.integer(6));
  }
  if (code != SQLITE_DONE) return fail(error("read", code));
  return out;
}

Result<StoredDrains> Store::drains() {
  Query query(db_, "SELECT what FROM drain");
  if (query.get() == nullptr) return fail(failure("read"));
  StoredDrains out;
  Statement row(query.get());
  int code = row.step();
  for (; code == SQLITE_ROW; code = row.step()) {
    if (row.text(0) == kHost) {
      out.host = true;
      continue;
    }
    const Result<IpAddress> floating = parse_address(row.text(0));
    if (!floating) {
      return fail(error(fmt::format("read the drained '{}'", row.text(0)), SQLITE_CORRUPT));
    }
    out.floatings.push_back(*floating);
  }
  if (code != SQLITE_DONE) return fail(error("read", code));
  return out;
}

Result<std::optional<std::string>> Store::meta(std::string_view key) {
  Query query(db_, "SELECT value FROM meta WHERE key = ?");
  if (query.get() == nullptr) return fail(failure("read"));
  Statement row(query.get());
  const int code = row.bind(key).step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return fail(error("read", code));
  return std::string(row.text(0));
}

Outcome Store::commit(std::span<const StoreChange> changes) {
  Outcome done = run("BEGIN IMMEDIATE");
  for (std::size_t i = 0; done && i < changes.size(); ++i) done = apply(changes[i]);
  if (done) done = run("COMMIT");
  // Some failures have rolled back already: a second ROLLBACK would be an error of its own.
  if (!done && sqlite3_get_autocommit(db_) == 0) {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  return done;
}

Outcome Store::apply(const StoreChange& change) {
  int code = SQLITE_OK;
  if (const auto* put = std::get_if<StoredBinding>(&change)) {
    const std::string floating = put->binding.floating.to_string();
    const bool forwards = !put->binding.forwards().empty();
    const std::string fixed = forwards ? "" : put->binding.fixed.to_string();
    const std::string extras = extras_text(put->binding.extras);
    Statement statement(put_);
    statement.bind(floating).bind(fixed).bind(put->binding.interface).bind(put->binding.id);
    statement.bind(put->binding.port).bind(std::int64_t{put->binding.primary});
    code = statement.bind(static_cast<std::int64_t>(put->revision)).bind(extras).step();
  } else if (const auto* removal = std::get_if<StoreRemoval>(&change)) {
    const std::string floating = removal->floating.to_string();
    Statement statement(remove_);
    code = statement.bind(floating).step();
  } else if (const auto* drain = std::get_if<StoreDrain>(&change)) {
    code = apply(*drain);
  } else {
    const auto& meta = std::get<StoreMeta>(change);
    Statement statement(put_meta_);
    code = statement.bind(meta.key).bind(meta.value).step();
  }
  return code == SQLITE_DONE ? success() : fail(error("write", code));
}

int Store::apply(const StoreDrain& change) {
  const std::string what = change.floating ? change.floating->to_string() : std::string(kHost);
  Statement statement(change.drained ? drain_ : undrain_);
  return statement.bind(what).step();
}

Outcome Store::run(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? success() : fail(error("write", code));
}

Result<std::int64_t> Store::number(const char* sql) {
  Query query(db_, sql);
  if (query.get() == nullptr) return fail(failure("open"));
  Statement row(query.get());
  const int code = row.step();
  if (code != SQLITE_ROW) return fail(error("read", code));
  return row.integer(0);
}

Error Store::failure(std::string_view doing) const {
  return error(doing, sqlite3_extended_errcode(db_));
}

Error Store::error(std::string_view doing, int code) const {
  std::string_view remedy = "see whether its disk is full, read-only or failing";
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return held_by(path_, lock_holder(path_));
    case SQLITE_FULL:
      remedy = "make room on its disk";
      break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      remedy = "make the file and its directory writable for fipd";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      remedy = "restore it from a backup, or move it away and add its floating IPs again";
      break;
    default:
      break;
  }
  const std::string message =
      fmt::format("store {}: {}: {} ({})", path_.string(), doing, sqlite3_errstr(code), remedy);
  const int number = disk_error(db_, code);
  if (number != 0) return Error::from_errno(number, message, ErrorCode::kUnavailable);
  return Error(ErrorCode::kUnavailable, message);
}

}  // namespace fipd
