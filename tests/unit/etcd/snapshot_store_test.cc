#include "daemon/sources/etcd/snapshot_store.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/base/temporary_folder.h"

namespace fipd {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SnapshotStoreTest : public ::testing::Test {
 protected:
  void open() {
    store_.reset();
    auto opened = SnapshotStore::open(path_);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
  }
  static EtcdSnapshot many(std::int64_t revision) {
    EtcdSnapshot out;
    out.header = {17, revision};
    for (int n = 1000; n < 3000; ++n) {
      out.pairs.push_back({"/fip/" + std::to_string(n), std::string(200, 'x'), revision});
    }
    return out;
  }
  // With a snapshot whose pages in the middle are damaged: seen when they are read.
  void open_damaged() {
    open();
    ASSERT_TRUE(store_->replace(many(5)));
    store_.reset();
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(path_) / 2));
    file << std::string(20000, '#');
    file.close();
    open();
  }
  void expect_kept(const EtcdSnapshot& wanted) {
    const auto read = store_->load();
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->header, wanted.header);
    EXPECT_EQ(read->pairs, wanted.pairs);
  }

  TemporaryFolder folder_;
  const fs::path path_ = folder_.path() / "fipd.db-etcd";
  std::unique_ptr<SnapshotStore> store_;
};

TEST_F(SnapshotStoreTest, KeepsWhatCameLast) {
  open();
  ASSERT_TRUE(store_->replace(many(5)));
  EtcdSnapshot wanted = many(5);
  const std::vector<EtcdEvent> events{{true, {"/fip/1000", "", 6}}, {false, {"/fip/1001", "y", 7}}};
  ASSERT_TRUE(store_->apply({17, 7}, events));
  open();
  wanted.header.revision = 7;
  wanted.pairs.erase(wanted.pairs.begin());
  wanted.pairs.front() = {"/fip/1001", "y", 7};
  expect_kept(wanted);
}

TEST_F(SnapshotStoreTest, AFileThatIsNoDatabaseIsMadeAnew) {
  std::ofstream(path_) << std::string(10000, '#');
  open();
  expect_kept({});
  ASSERT_TRUE(store_->replace(many(5)));
  open();
  expect_kept(many(5));
}

TEST_F(SnapshotStoreTest, APageThatIsDamagedCostsOneSnapshotAndNotAllThatFollow) {
  open_damaged();
  const auto read = store_->load();
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message(), HasSubstr(path_.string()));
  ASSERT_TRUE(store_->replace(many(6)));
  expect_kept(many(6));
  open();
  expect_kept(many(6));
}

TEST_F(SnapshotStoreTest, DamageThatShowsInTheMidstOfWritingIsMendedByTheWhole) {
  open_damaged();
  EXPECT_TRUE(store_->replace(many(6)));
  expect_kept(many(6));
}

}  // namespace
}  // namespace fipd
