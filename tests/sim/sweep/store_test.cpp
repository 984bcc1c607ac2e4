// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/error.h"
#include "sim/sweep/merge.h"
#include "tests/sim/sweep/support.h"

namespace npusim::sim {
namespace {

using testing::outcome;
using testing::SweepFolder;

StoredPoint point(const std::string& hash, double seconds) {
  return {{{"npu.clock_mhz", base::JsonValue::make_integer(3)}},
          outcome(hash, {{"seconds", seconds}, {"cycles", 9007199254740991.0}})};
}

StoredPoint crashed(const std::string& hash) {
  StoredPoint made;
  made.outcome.config_hash = hash;
  made.outcome.status = PointStatus::crashed;
  made.outcome.reason = "killed";
  return made;
}

TEST(SweepStore, WhatIsCommittedComesBackByHashTheLastRowCounting) {
  const SweepFolder folder;
  const StoreHeader header{"{\"a\": 1}", "identity"};
  {
    SweepStore store = SweepStore::create(folder.path("s.db"), header);
    store.append(point("b", 0.1));
    store.append(crashed("a"));
    store.append(point("a", 1.0 / 3.0));
    store.commit();
    store.append(point("c", 1.0));  // never committed
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path("s.db-wal"))) << "a store at rest is one file";
  const SweepStore store = SweepStore::read(folder.path("s.db"));
  EXPECT_EQ(store.header().sweep, header.sweep);
  EXPECT_EQ(store.header().identity, header.identity);
  const std::vector<StoredPoint> points = store.points();
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].outcome.config_hash, "a");
  EXPECT_EQ(points[0].outcome.status, PointStatus::ok);
  EXPECT_EQ(points[0].outcome.metrics, point("a", 1.0 / 3.0).outcome.metrics);
  EXPECT_EQ(points[1].assignment[0].path, "npu.clock_mhz");
  EXPECT_EQ(points[1].assignment[0].value.integer(), 3);
}

TEST(SweepStore, RowsAreNeverChangedOrRemoved) {
  const SweepFolder folder;
  {
    SweepStore store = SweepStore::create(folder.path("s.db"), {"{}", "i"});
    store.append(point("a", 1.0));
    store.commit();
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(folder.path("s.db").c_str(), &database), SQLITE_OK);
  for (const char* sql : {"UPDATE points SET seconds = 2", "DELETE FROM points"})
    EXPECT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_CONSTRAINT) << sql;
  sqlite3_close(database);
}

TEST(SweepStore, ASecondWriterAndOtherFilesAreRefused) {
  const SweepFolder folder;
  const SweepStore store = SweepStore::create(folder.path("s.db"), {"{}", "i"});
  EXPECT_THROW(SweepStore::read(folder.path("s.db")), base::InputError);
  EXPECT_THROW(SweepStore::open(folder.path("s.db"), {"{}", "i"}), base::InputError);
  EXPECT_THROW(SweepStore::create(folder.path("s.db"), {"{}", "i"}), base::InputError);
  EXPECT_THROW(SweepStore::read(folder.path("missing.db")), base::InputError);
  EXPECT_THROW(SweepStore::read(folder.file(R"("axes": [])")), base::InputError);
}

TEST(SweepStore, ADatabaseOfAnotherProgramStaysAsItIs) {
  const SweepFolder folder;
  const std::string path = folder.path("other.db");
  for (const char* mode : {"DELETE", "WAL"}) {
    std::filesystem::remove(path);
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
    const std::string sql =
        std::string("PRAGMA journal_mode = ") + mode + "; CREATE TABLE theirs (a)";
    ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(database);
    const std::string before = base::read_whole_file(path);
    EXPECT_THROW(SweepStore::open(path, {"{}", "i"}), base::InputError);
    EXPECT_THROW(SweepStore::read(path), base::InputError);
    EXPECT_THROW(merge_stores({path}, folder.path("m.db")), base::InputError);
    EXPECT_EQ(base::read_whole_file(path), before) << mode;
  }
}

TEST(SweepStore, AMergeOnlyReadsEvenWhatADeadWriterLeft) {
  const SweepFolder folder;
  const std::string from = folder.path("s.db"), log = from + "-wal";
  const std::string copy = folder.path("copy.db");
  SweepStore store = SweepStore::create(from, {"{}", "i"});
  store.append(point("a", 1.0));
  store.commit();
  // What its process would leave if it died now: the row is in the log alone.
  std::filesystem::copy_file(from, copy);
  std::filesystem::copy_file(log, copy + "-wal");
  const std::string file = base::read_whole_file(copy), rows = base::read_whole_file(copy + "-wal");
  std::filesystem::permissions(copy, std::filesystem::perms::owner_read);
  merge_stores({copy}, folder.path("m.db"));
  EXPECT_EQ(base::read_whole_file(copy), file);
  EXPECT_EQ(base::read_whole_file(copy + "-wal"), rows);
  EXPECT_EQ(SweepStore::read(folder.path("m.db")).points().size(), 1u);
}

TEST(SweepStore, WhatADeadWriterDidByHalvesIsTakenBack) {
  const SweepFolder folder;
  const std::string path = folder.path("s.db"), dead = folder.path("dead.db");
  {
    SweepStore store = SweepStore::create(path, {"{}", "i"});
    store.append(point("a", 1.0));
    store.commit();
  }
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  // A small cache spills into the file long before the commit, which never comes for the copy.
  const char* spill =
      "PRAGMA cache_size = 4; BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
      "n "
      "LIMIT 2000) INSERT INTO points (config_hash, assignment, status, reason) SELECT 'x' || i, "
      "'{}', 'failed', 'half' FROM n";
  ASSERT_EQ(sqlite3_exec(database, spill, nullptr, nullptr, nullptr), SQLITE_OK);
  std::filesystem::copy_file(path, dead);
  std::filesystem::copy_file(path + "-journal", dead + "-journal");
  sqlite3_close(database);
  const std::vector<StoredPoint> points = SweepStore::read(dead).points();
  ASSERT_EQ(points.size(), 1u);
  EXPECT_EQ(points[0].outcome.config_hash, "a");
}

TEST(SweepStore, OneWhoseWriterDiedAtOnceIsMadeAgain) {
  const SweepFolder folder;
  base::write_whole_file(folder.path("s.db"), "");
  SweepStore store = SweepStore::open(folder.path("s.db"), {"{}", "i"});
  store.append(point("a", 1.0));
  store.commit();
  EXPECT_EQ(store.points().size(), 1u);
}

TEST(SweepStore, MergedStoresHoldWhatFinishedAndRefuseWhatContradicts) {
  const SweepFolder folder;
  const auto write = [&](const std::string& name, const std::string& identity,
                         const std::vector<StoredPoint>& points) {
    SweepStore store = SweepStore::create(folder.path(name), {"{}", identity});
    for (const StoredPoint& each : points) store.append(each);
    store.commit();
    return folder.path(name);
  };
  const std::string one = write("1.db", "i", {point("a", 1.0), crashed("b"), point("c", 3.0)});
  const std::string two = write("2.db", "i", {point("b", 2.0), crashed("c"), point("a", 1.0)});
  merge_stores({one, two}, folder.path("m.db"));
  const std::vector<StoredPoint> points = SweepStore::read(folder.path("m.db")).points();
  ASSERT_EQ(points.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(points[i].outcome.metrics[*find_metric("seconds")], static_cast<double>(i + 1));
  const std::string other = write("3.db", "i", {point("a", 1.5)});
  EXPECT_THROW(merge_stores({one, other}, folder.path("n.db")), base::InputError);
  const std::string foreign = write("4.db", "j", {});
  EXPECT_THROW(merge_stores({one, foreign}, folder.path("n.db")), base::InputError);
  try {
    merge_stores({one}, folder.path("m.db"));
    ADD_FAILURE() << "over an existing file";
  } catch (const base::InputError& error) {
    EXPECT_EQ(std::string(error.what()).find("--resume"), std::string::npos) << error.what();
  }
  EXPECT_EQ(SweepStore::read(folder.path("m.db")).points().size(), 3u);
}

}  // namespace
}  // namespace npusim::sim
