#include <sqlite3.h>

#include "tests/unit/store/store_fixture.h"

namespace fipd {
namespace {

using ::testing::UnorderedElementsAre;

// A store as the first release wrote it.
constexpr const char* kFirstSchema =
    "PRAGMA application_id=1718644836; PRAGMA journal_mode=WAL;"
    "CREATE TABLE binding("
    "  floating TEXT PRIMARY KEY, fixed TEXT NOT NULL, interface TEXT NOT NULL, id TEXT NOT NULL,"
    "  port TEXT NOT NULL, is_primary INTEGER NOT NULL, revision INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version=1;"
    "INSERT INTO binding VALUES('172.16.0.1','10.0.0.1','tap1','i','p',1,7);"
    "INSERT INTO binding VALUES('2001:db8::3','fd00::13','','','',0,8);"
    "INSERT INTO meta VALUES('drained','yes');";

TEST_F(StoreTest, BringsAnOlderSchemaUpToDateWithAllThatItHolds) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, kFirstSchema, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);

  StoredBinding first = stored(1, 7);
  first.binding.id = "i";
  first.binding.port = "p";
  first.binding.primary = true;
  StoredBinding six;
  six.binding.floating = parse_address("2001:db8::3").value();
  six.binding.fixed = parse_address("fd00::13").value();
  six.revision = 8;
  {
    auto store = open();
    EXPECT_THAT(store->load().value(), UnorderedElementsAre(first, six));
    EXPECT_EQ(store->meta("drained").value(), "yes");
    first.binding.extras.edit().color = 3;
    ASSERT_TRUE(put(*store, first));
  }
  EXPECT_THAT(open()->load().value(), UnorderedElementsAre(first, six));
}

}  // namespace
}  // namespace fipd
