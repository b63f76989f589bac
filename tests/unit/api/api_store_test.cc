// What becomes of bindings and requests while the store's disk is read-only or full.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/unit/api/api_fixture.h"

namespace fipd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kA = "172.16.1.3";
constexpr std::string_view kB = "172.16.1.4";
constexpr std::string_view kC = "172.16.1.5";
constexpr std::string_view kOne = "10.65.0.13";
constexpr std::string_view kTwo = "10.65.0.14";

// The store is on a disk of 256 KiB, in a mount namespace of this thread; Background's thread, made
// later, is in it too.
class ApiStoreTest : public ApiTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small disk";
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("small", disk().c_str(), "tmpfs", 0, "size=256k"), 0);
  }
  void TearDown() override {
    end();
    ::umount2(disk().c_str(), MNT_DETACH);
  }

  std::filesystem::path disk() const { return path_.parent_path(); }
  void remount(unsigned long flags) {
    ASSERT_EQ(::mount("small", disk().c_str(), "tmpfs", MS_REMOUNT | flags, "size=256k"), 0);
  }
  void make_read_only() {
    end();
    remount(MS_RDONLY);
  }
  void fill() {
    std::ofstream filler(disk() / "filler");
    while (filler.write("................................", 32).flush()) {
    }
  }
  // So many that a full disk cannot take them, whatever room the log has left.
  static ChangeRequest many() {
    ChangeRequest request;
    for (unsigned i = 0; i < 2000; ++i) {
      request.put.push_back(binding(fmt::format("172.17.{}.{}", i / 250, i % 250), kOne));
    }
    return request;
  }
  bool scratch_is_empty() const { return std::filesystem::is_empty(directory_ / "run"); }
};

TEST_F(ApiStoreTest, RefusesTheWholeGroupAndKeepsTheOldStateWhereTheStoreFails) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  ASSERT_TRUE(open());
  fill();
  const int writes = sink_->writes;
  const auto small = ask(put(kB, kOne));
  const auto big = ask(many());
  const auto removed = ask(removal(kA));
  run();
  EXPECT_EQ(outcome(small), "store_failed");
  EXPECT_EQ(outcome(big), "store_failed");
  EXPECT_EQ(outcome(removed), "store_failed");
  EXPECT_THAT(big->answer->error().error.message(), HasSubstr("make room on its disk"));
  EXPECT_THAT(problem(), HasSubstr("make room on its disk"));
  EXPECT_EQ(sink_->writes, writes);
  EXPECT_EQ(bound(kA), kOne);

  std::filesystem::remove(disk() / "filler");
  EXPECT_TRUE(until([&] { return problem().empty(); })) << "found out without being asked";
  EXPECT_EQ(add(kC, kOne), "ok");
  EXPECT_EQ(on_disk().size(), 2U);
}

TEST_F(ApiStoreTest, StartsOnAFullDisk) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  end();
  fill();
  start();
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_EQ(change(many()), "store_failed");
  EXPECT_EQ(bound(kA), kOne);
  std::filesystem::remove(disk() / "filler");
  EXPECT_EQ(add(kB, kOne), "ok");
  EXPECT_EQ(on_disk().size(), 2U);
}

TEST_F(ApiStoreTest, StartsForTheFirstTimeOnAFullDisk) {
  fill();
  start();
  EXPECT_THAT(problem(), HasSubstr("make room on its disk"));
  EXPECT_EQ(add(kA, kOne), "store_failed");
  std::filesystem::remove(disk() / "filler");
  EXPECT_EQ(add(kA, kOne), "ok");
  EXPECT_EQ(on_disk().size(), 1U);
}

TEST_F(ApiStoreTest, ServesAReadOnlyStoreAndRefusesChangesUntilItCanBeWritten) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  make_read_only();
  start();
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_EQ(sink_->complete, options_.rank);
  EXPECT_TRUE(scratch_is_empty());
  EXPECT_THAT(problem(), HasSubstr("its disk is mounted read-only"));
  const auto refused = ask(put(kB, kOne));
  EXPECT_EQ(outcome(refused), "store_failed");
  EXPECT_THAT(refused->answer->error().error.message(), HasSubstr("mounted read-only"));
  EXPECT_EQ(add(kA, kTwo), "conflict") << "judged as ever";
  EXPECT_EQ(change(removal(kA)), "store_failed");
  EXPECT_EQ(bound(kB), "none");
  EXPECT_EQ(bound(kA), kOne);

  remount(0);
  const int writes = sink_->writes;
  EXPECT_EQ(add(kB, kOne), "ok");
  EXPECT_EQ(sink_->writes, writes + 1) << "the store came back as it went";
  EXPECT_THAT(problem(), IsEmpty());
  EXPECT_THAT(events_, Contains(HasSubstr("can be written again")));
  EXPECT_EQ(on_disk().size(), 2U);
}

TEST_F(ApiStoreTest, FindsOutByItselfThatTheStoreCanBeWrittenAgain) {
  options_.look_for_change = std::chrono::milliseconds(60000);
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  make_read_only();
  start();
  EXPECT_THAT(problem(), HasSubstr("read-only"));
  remount(0);
  EXPECT_TRUE(until([&] { return problem().empty(); }));
  EXPECT_EQ(bound(kA), kOne);
}

TEST_F(ApiStoreTest, LooksAtMostOnceInAWhileHoweverManyAsk) {
  options_.look_for_change = std::chrono::milliseconds(60000);
  options_.look = std::chrono::milliseconds(60000);
  start();
  make_read_only();
  start();
  remount(0);
  EXPECT_EQ(add(kA, kOne), "store_failed") << "the last look was a moment ago";
}

TEST_F(ApiStoreTest, ServesWhatACrashLeftInTheLogAlone) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::open(path_);
    StoredBinding stored;
    stored.binding = binding(kA, kOne);
    stored.revision = 7;
    const StoreChange change = stored;
    const bool done = store && (*store)->commit(std::span(&change, 1));
    ::_exit(done ? 0 : 1);  // nothing is closed
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_GT(std::filesystem::file_size(path_.string() + "-wal"), 0U);
  make_read_only();
  start();
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_GT(std::filesystem::file_size(path_.string() + "-wal"), 0U) << "left as it was";
  remount(0);
  EXPECT_EQ(add(kB, kOne), "ok");
  EXPECT_EQ(sink_->bindings.winner(address(kB))->revision, 8U);
  EXPECT_EQ(on_disk().size(), 2U);
}

TEST_F(ApiStoreTest, DropsNothingWhereTheStoreComesBackOtherwise) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  ASSERT_EQ(add(kB, kOne), "ok");
  make_read_only();
  start();
  remount(0);
  {
    // A restored backup, as it were: one binding missing, one newer, one more.
    auto store = Store::open(path_);
    ASSERT_TRUE(store);
    StoredBinding newer;
    newer.binding = binding(kB, kTwo);
    newer.revision = 20;
    StoredBinding more;
    more.binding = binding(kC, kTwo);
    more.revision = 21;
    const StoreChange changes[] = {StoreRemoval{address(kA)}, newer, more};
    ASSERT_TRUE((*store)->commit(changes));
  }
  ASSERT_TRUE(until([&] { return problem().empty(); }));
  EXPECT_EQ(bound(kA), kOne);
  EXPECT_EQ(bound(kB), kTwo);
  EXPECT_EQ(bound(kC), kTwo);
  EXPECT_EQ(source_->report().claims, 3U);
  EXPECT_THAT(events_, Contains(HasSubstr("came back otherwise")));
  EXPECT_EQ(on_disk().size(), 3U);
}

TEST_F(ApiStoreTest, DoesNotStartWhereNobodyKnowsWhatTheStoreHolds) {
  remount(MS_RDONLY);
  const Outcome missing = open();
  ASSERT_FALSE(missing) << "no store, and none can be made";
  EXPECT_THAT(missing.error().message(), HasSubstr("mounted read-only"));
  EXPECT_THAT(missing.error().message(), HasSubstr("nor can it be read"));
  EXPECT_FALSE(sink_->complete) << "what is in the kernel must not be taken for orphaned";
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(ApiStoreTest, DoesNotStartOnAForeignFileOnAReadOnlyDisk) {
  std::ofstream(path_) << std::string(4096, 'x');
  make_read_only();
  const Outcome foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message(), HasSubstr("file is not a database"));
  EXPECT_THAT(foreign.error().message(), HasSubstr(path_.string()));
  EXPECT_TRUE(scratch_is_empty());
}

TEST_F(ApiStoreTest, DoesNotServeWhatAnotherFipdHolds) {
  start();
  ASSERT_EQ(add(kA, kOne), "ok");
  end();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
    const auto store = Store::open(path_);
    char byte = store ? 1 : 0;
    static_cast<void>(::write(ready[1], &byte, 1));
    ::_exit(static_cast<int>(::read(ends[0], &byte, 1)));  // until the parent closes
  }
  ::close(ends[0]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(byte, 1);
  EXPECT_THAT(open().error().message(), HasSubstr("in use by another fipd (process"));
  const auto copy = Store::open_copy(path_, directory_ / "run");
  ASSERT_FALSE(copy);
  EXPECT_THAT(copy.error().message(), HasSubstr("in use by another fipd (process"));
  ::close(ends[1]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

TEST_F(ApiStoreTest, ServesWhatWasDrainedFromADiskThatCannotBeWritten) {
  start();
  ASSERT_EQ(outcome(record({StoreDrain{address(kA), true}})), "ok");
  make_read_only();
  ASSERT_TRUE(open());
  EXPECT_EQ(store_->drains(), (StoredDrains{false, {address(kA)}}));
  run();
  EXPECT_EQ(outcome(record({StoreDrain{address(kA), false}})), "store_failed");
}

}  // namespace
}  // namespace fipd
