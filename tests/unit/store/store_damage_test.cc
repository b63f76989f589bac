// What happens to the store when the machine is not kind to it.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <algorithm>
#include <functional>

#include <sqlite3.h>

#include "tests/unit/store/store_fixture.h"

namespace fipd {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// Runs `work` in a process of its own, which must end with status 0.
void in_child(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work() ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(StoreTest, LosesNothingAcknowledgedToKill9) {
  std::uint32_t acknowledged = 0;
  for (unsigned round = 0; round < 15; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto store = Store::open(path_);
      if (!store) ::_exit(1);
      for (std::uint32_t next = acknowledged + 1;; ++next) {
        if (!put(**store, stored(next))) ::_exit(2);
        if (::write(ends[1], &next, sizeof next) != sizeof next) ::_exit(3);
      }
    }
    ::close(ends[1]);
    // A moment that differs from round to round.
    const unsigned enough = 1 + round * 3;
    for (unsigned i = 0; i < enough; ++i) {
      ASSERT_EQ(::read(ends[0], &acknowledged, sizeof acknowledged),
                static_cast<ssize_t>(sizeof acknowledged));
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    std::uint32_t late = 0;
    while (::read(ends[0], &late, sizeof late) == sizeof late) acknowledged = late;
    ::close(ends[0]);

    const auto found = open()->load().value();
    for (std::uint32_t i = 1; i <= acknowledged; ++i) {
      ASSERT_NE(std::find(found.begin(), found.end(), stored(i)), found.end())
          << "round " << round << ": " << i << " of " << acknowledged;
    }
    // One more may be there: written, but killed before it could say so.
    ASSERT_LE(found.size(), acknowledged + 1);
    acknowledged = static_cast<std::uint32_t>(found.size());
  }
}

// A disk of 256 KiB under directory_, in a mount namespace of this process alone.
bool mount_small_disk(const std::filesystem::path& directory, unsigned long flags) {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("small", directory.c_str(), "tmpfs", flags, "size=256k") == 0;
}

TEST_F(StoreTest, KeepsTheOldStateOnAFullDiskAndServesOnAfterwards) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small disk";
  in_child([this] {
    if (!mount_small_disk(directory_, 0)) return false;
    auto store = Store::open(path_);
    if (!store || !put(**store, stored(1))) return false;
    std::ofstream filler(directory_ / "filler");
    while (filler.write("................................", 32).flush()) {
    }

    const StoreChange changes[] = {stored(2), stored(3), stored(4),
                                   StoreRemoval{stored(1).binding.floating}};
    std::vector<StoreChange> many(std::begin(changes), std::end(changes));
    for (unsigned i = 100; i < 600; ++i) many.emplace_back(stored(i));
    const Outcome refused = (*store)->commit(many);
    if (refused) return false;
    EXPECT_THAT(refused.error().message(), HasSubstr("make room on its disk"));
    EXPECT_THAT(refused.error().message(), HasSubstr(path_.string()));
    EXPECT_EQ((*store)->load().value(), std::vector{stored(1)});

    filler.close();
    std::filesystem::remove(directory_ / "filler");
    EXPECT_TRUE((*store)->commit(changes));
    store->reset();
    EXPECT_EQ(open()->load()->size(), 3U);
    return !::testing::Test::HasFailure();
  });
}

TEST_F(StoreTest, RefusesAReadOnlyDisk) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a disk";
  in_child([this] {
    if (!mount_small_disk(directory_, MS_RDONLY)) return false;
    EXPECT_THAT(refusal(), HasSubstr("its disk is mounted read-only"));
    return !::testing::Test::HasFailure();
  });
}

TEST_F(StoreTest, RefusesToOpenWhatItMayNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_TRUE(put(*open(), stored(1)));
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  std::filesystem::permissions(path_, std::filesystem::perms(0444));
  std::filesystem::create_directory(directory_ / "run");
  std::filesystem::permissions(directory_ / "run", std::filesystem::perms(0777));
  in_child([this] {
    if (::setuid(65534) != 0) return false;
    const auto refused = Store::open(path_);
    EXPECT_THAT(refused.error().message(), HasSubstr("make it writable for fipd"));
    EXPECT_EQ(refused.error().os_error(), EACCES) << "the disk's fault, not the store's";
    const auto copy = Store::open_copy(path_, directory_ / "run");
    EXPECT_EQ((*copy)->load().value(), std::vector{stored(1)});
    EXPECT_TRUE(std::filesystem::is_empty(directory_ / "run"));
    return !::testing::Test::HasFailure();
  });
  // The file may be written, but not its directory, in which the write-ahead log must be made.
  std::filesystem::permissions(path_, std::filesystem::perms(0666));
  in_child([this] {
    if (::setuid(65534) != 0) return false;
    const std::string said = refusal();
    EXPECT_THAT(said, HasSubstr("directory writable for fipd"));
    return !::testing::Test::HasFailure();
  });
}

TEST_F(StoreTest, NamesTheProcessThatHoldsIt) {
  auto store = open();
  const pid_t holder = ::getpid();
  in_child([this, holder] {
    const std::string said = refusal();
    EXPECT_THAT(said, HasSubstr("process " + std::to_string(holder)));
    return !::testing::Test::HasFailure();
  });
}

TEST_F(StoreTest, LeavesAForeignFileAsItIs) {
  const std::string text =
      "this is no database, and long enough to be taken for a header of one, "
      "which is a hundred bytes";
  std::ofstream(path_) << text;
  EXPECT_THAT(refusal(), HasSubstr("move it away"));
  std::ifstream in(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
}

TEST_F(StoreTest, RefusesAnotherProgramsDatabase) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE binding(x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_THAT(refusal(), HasSubstr("of another program"));
}

TEST_F(StoreTest, RefusesANewerSchemaAndLeavesItAsItIs) {
  ASSERT_TRUE(put(*open(), stored(1)));
  const auto execute = [this](const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  };
  const auto version = [this] {
    sqlite3* db = nullptr;
    std::string out;
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) = values[0];
      return 0;
    };
    EXPECT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, "PRAGMA user_version", take, &out, nullptr), SQLITE_OK);
    sqlite3_close(db);
    return out;
  };
  const std::string ours = version();
  execute("PRAGMA user_version=99");
  EXPECT_THAT(refusal(), HasSubstr("newer fipd (schema 99"));
  execute(("PRAGMA user_version=" + ours).c_str());
  EXPECT_EQ(open()->load()->size(), 1U);
}

TEST_F(StoreTest, RefusesADamagedFile) {
  {
    auto store = open();
    std::vector<StoreChange> changes;
    for (unsigned i = 0; i < 2000; ++i) changes.emplace_back(stored(i));
    ASSERT_TRUE(store->commit(changes));
  }
  // In the middle of the pages of bindings.
  const auto size = std::filesystem::file_size(path_);
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(size / 2 / 4096 * 4096));
  file << std::string(4096, '\xff');
  file.close();
  EXPECT_THAT(refusal(), AnyOf(HasSubstr("malformed"), HasSubstr("not a database")));
  EXPECT_THAT(refusal(), HasSubstr("move it away"));
}

TEST_F(StoreTest, RefusesABindingThatIsNone) {
  constexpr std::pair<const char*, const char*> kBad[] = {
      {"x", "'x','10.0.0.1','','','',0,1,''"},
      {"1.2.3.4", "'1.2.3.4','','','','',0,1,''"},
      {"1.2.3.4", "'1.2.3.4','fd00::1','','','',0,1,''"},
      {"1.2.3.4", "'1.2.3.4','10.0.0.1','','','',0,1,'{'"},
      {"1.2.3.4", "'1.2.3.4','10.0.0.1','','','',0,1,'{\"colour\":1}'"},
      {"1.2.3.4", "'1.2.3.4','10.0.0.1','','','',0,1,'{\"forwards\":[\"tcp/1=10.0.0.1:1\"]}'"},
      {"1.2.3.4", "'1.2.3.4','','','','',0,1,'{\"forwards\":[\"tcp/1=[fd00::1]:1\"]}'"},
  };
  open();
  for (const auto& [floating, values] : kBad) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    const std::string sql =
        fmt::format("DELETE FROM binding; INSERT INTO binding VALUES({})", values);
    ASSERT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << values;
    sqlite3_close(db);
    const auto loaded = open()->load();
    ASSERT_FALSE(loaded) << values;
    EXPECT_THAT(loaded.error().message(),
                HasSubstr(fmt::format("read the binding '{}'", floating)));
  }
}

}  // namespace
}  // namespace fipd
