// What happens to the store when the machine is not kind to it.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
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

TEST_F(StoreTest, KeepsTheOldStateOnAFullDiskAndServesOnAfterwards) {
  in_child([this] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto store = Store::open(path_);
    if (!store || !put(**store, stored(1))) return false;

    // The disk ends here: every write beyond 64 KiB into any file fails.
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlimit before = limit;
    limit.rlim_cur = 64 << 10;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    std::vector<StoreChange> many;
    for (unsigned i = 100; i < 5000; ++i) many.emplace_back(stored(i));
    many.emplace_back(StoreRemoval{stored(1).binding.floating});
    const Outcome refused = (*store)->commit(many);
    if (refused) return false;
    const std::string& said = refused.error().message();
    EXPECT_THAT(said, HasSubstr("make room"));
    EXPECT_THAT(said, HasSubstr(path_.string()));
    const auto still = (*store)->load();
    if (!still || *still != std::vector{stored(1)}) return false;

    ::setrlimit(RLIMIT_FSIZE, &before);
    if (!(*store)->commit(many) || (*store)->load()->size() != 4900) return false;
    return !::testing::Test::HasFailure();
  });
  EXPECT_EQ(open()->load()->size(), 4900U);
}

TEST_F(StoreTest, RefusesToOpenWhatItMayNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_TRUE(put(*open(), stored(1)));
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  std::filesystem::permissions(path_, std::filesystem::perms(0444));
  in_child([this] {
    if (::setuid(65534) != 0) return false;
    const std::string said = refusal();
    EXPECT_THAT(said, HasSubstr("make it writable for fipd"));
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
  execute("PRAGMA user_version=99");
  EXPECT_THAT(refusal(), HasSubstr("newer fipd (schema 99"));
  execute("PRAGMA user_version=1");
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
  open();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "INSERT INTO binding VALUES('x','10.0.0.1','','','',0,1)", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);
  const auto loaded = open()->load();
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message(), HasSubstr("read the binding 'x'"));
}

}  // namespace
}  // namespace fipd
