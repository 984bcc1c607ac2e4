// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/store.h"

#include <sqlite3.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/error.h"
#include "sim/sweep/database.h"
#include "sim/version.h"

namespace npusim::sim {
namespace {

constexpr int kStoreVersion = 1;
constexpr int kApplicationId = 0x4e505553;  // "NPUS"

std::string metric_columns(const char* separator) {
  std::string text;
  for (const SweepMetric& metric : sweep_metrics()) text += separator + std::string(metric.name);
  return text;
}

std::string schema() {
  std::string columns;
  for (const SweepMetric& metric : sweep_metrics())
    columns += std::string(", ") + metric.name + (metric.integral ? " INTEGER" : " REAL");
  return "CREATE TABLE header (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
         "CREATE TABLE points (id INTEGER PRIMARY KEY, config_hash TEXT NOT NULL, assignment TEXT "
         "NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL" +
         columns +
         ");"
         "CREATE INDEX points_by_hash ON points (config_hash, id);"
         "CREATE TRIGGER points_stay BEFORE UPDATE ON points BEGIN SELECT RAISE(ABORT, 'outcomes "
         "are only appended'); END;"
         "CREATE TRIGGER points_remain BEFORE DELETE ON points BEGIN SELECT RAISE(ABORT, 'outcomes "
         "are only appended'); END;"
         "PRAGMA application_id = " +
         std::to_string(kApplicationId) +
         "; PRAGMA user_version = " + std::to_string(kStoreVersion);
}

std::string insertion() {
  std::string marks;
  for (std::size_t i = 0; i < 4 + sweep_metrics().size(); ++i) marks += i == 0 ? "?" : ", ?";
  return "INSERT INTO points (config_hash, assignment, status, reason" + metric_columns(", ") +
         ") VALUES (" + marks + ")";
}

int integer_of(const Database& database, const std::string& pragma) {
  Statement statement(database, pragma);
  return statement.step("read") ? static_cast<int>(*statement.number(0)) : 0;
}

PointStatus status_of(const Database& database, const std::string& name) {
  const std::vector<std::string>& names = point_status_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) database.fail("understand status " + name + " of");
  return static_cast<PointStatus>(found - names.begin());
}

}  // namespace

struct SweepStore::State {
  Database database;
  StoreHeader header;
  std::unique_ptr<Statement> insert;
  bool within = false;   ///< a transaction is open
  bool writing = false;  ///< start_writing() was called

  ~State() {
    insert.reset();
    if (!writing) return;
    // A store at rest is one file. What fails here (a full disk) leaves the log beside it.
    if (within) sqlite3_exec(database.handle, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_exec(database.handle, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
  }

  /// Changes nothing: it may be no store at all.
  void connect(const std::string& path, int flags, const char* system) {
    database.path = path;
    if (sqlite3_open_v2(path.c_str(), &database.handle, flags, system) != SQLITE_OK)
      database.fail("open");
    // Else the log that another program left would be written into its database at the end.
    sqlite3_db_config(database.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    // Keeps a second writer out and needs no shared memory (network disks).
    if ((flags & SQLITE_OPEN_READONLY) == 0)
      database.run("PRAGMA locking_mode = EXCLUSIVE", "open");
  }

  void start_writing() {
    // Beyond a limit of file size a write is an error of the store, not the end of the process.
    ::signal(SIGXFSZ, SIG_IGN);
    sqlite3_db_config(database.handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
    // The write-ahead log keeps what is committed when the process dies, at no cost of a sync each
    // time.
    database.run("PRAGMA journal_mode = WAL", "open");
    database.run("PRAGMA synchronous = NORMAL", "open");
    writing = true;
  }

  void check_kind() const {
    if (integer_of(database, "PRAGMA application_id") != kApplicationId)
      throw base::InputError(database.path + " is no store of a sweep", "wrong-kind");
    if (integer_of(database, "PRAGMA user_version") != kStoreVersion)
      throw base::InputError(database.path + " was written by another version of npusim",
                             "wrong-version");
  }

  void read_header() {
    Statement select(database, "SELECT name, value FROM header");
    while (select.step("read"))
      (select.text(0) == "sweep" ? header.sweep : header.identity) = select.text(1);
  }
};

SweepStore::SweepStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
SweepStore::SweepStore(SweepStore&&) noexcept = default;
SweepStore::~SweepStore() = default;

StoreHeader header_of(const Sweep& sweep) {
  base::JsonValue identity = base::JsonValue::make_object();
  identity.set("version", version());
  identity.set("git", git_id());
  identity.set("seed", static_cast<std::int64_t>(sweep.seed));
  identity.set("timing", sweep.timing);
  identity.set("numerics", sweep.numerics);
  if (sweep.what_if) identity.set("what_if", true);
  // Names as they stand in the file: shards may run in other folders. What is in the files is part
  // of the config hashes.
  for (const char* key : {"npu", "workload", "recipe", "set"})
    if (const base::JsonValue* value = sweep.resolved.find(key)) identity.set(key, *value);
  identity.set("mode", name_of(sweep.request.mode));
  return {base::dump_json(sweep.resolved, -1), base::dump_json(identity, -1)};
}

namespace {

void fill(const Database& database, const StoreHeader& header) {
  database.run("BEGIN IMMEDIATE", "create");
  database.run(schema(), "create");
  Statement insert(database, "INSERT INTO header VALUES (?, ?)");
  for (const auto& [name, value] :
       {std::pair<const char*, const std::string&>("sweep", header.sweep),
        {"identity", header.identity}}) {
    insert.bind(1, name);
    insert.bind(2, value);
    insert.step("create");
    insert.reset();
  }
  database.run("COMMIT", "create");
}

/// What a process leaves that dies before the first commit.
bool is_blank(const Database& database) {
  return integer_of(database, "PRAGMA application_id") == 0 &&
         integer_of(database, "PRAGMA user_version") == 0 &&
         integer_of(database, "SELECT COUNT(*) FROM sqlite_master") == 0;
}

}  // namespace

SweepStore SweepStore::create(const std::string& path, const StoreHeader& header) {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored))
    throw base::InputError("the store " + path + " is there already", "store-exists");
  return open(path, header);
}

SweepStore SweepStore::open(const std::string& path, const StoreHeader& header) {
  auto state = std::make_unique<State>();
  state->connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  const bool blank = is_blank(state->database);
  if (!blank) state->check_kind();
  state->start_writing();
  if (blank) fill(state->database, header);
  state->read_header();
  return SweepStore(std::move(state));
}

namespace {

/// As the file's header says it (https://sqlite.org/fileformat.html, 1.3): big-endian at byte 68.
bool says_it_is_a_store(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char bytes[4] = {};
  return file.seekg(68) && file.read(bytes, sizeof bytes) && std::string(bytes, 4) == "NPUS";
}

/// A writer that died while it took the log in left a journal: its change is taken back, which
/// nobody can who only reads.
void roll_back(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path + "-journal", ignored) || !says_it_is_a_store(path)) return;
  Database database;
  const int opened =
      sqlite3_open_v2(path.c_str(), &database.handle, SQLITE_OPEN_READWRITE, nullptr);
  if (opened == SQLITE_OK)  // what fails here fails again for the reader, who says so
    sqlite3_exec(database.handle, "SELECT COUNT(*) FROM header", nullptr, nullptr, nullptr);
}

}  // namespace

SweepStore SweepStore::read(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored))
    throw base::InputError("there is no store " + path, "missing-file");
  auto state = std::make_unique<State>();
  roll_back(path);
  // This way the log of a writer that died is read without files beside it (shared memory).
  state->connect(path, SQLITE_OPEN_READONLY, "unix-excl");
  state->check_kind();
  state->read_header();
  return SweepStore(std::move(state));
}

const StoreHeader& SweepStore::header() const {
  return state_->header;
}

void SweepStore::set_sweep(const std::string& sweep) {
  if (sweep == state_->header.sweep) return;
  Statement update(state_->database, "UPDATE header SET value = ? WHERE name = 'sweep'");
  update.bind(1, sweep);
  update.step("write to");
  state_->header.sweep = sweep;
}

void SweepStore::append(const StoredPoint& point) {
  const Database& database = state_->database;
  if (!state_->within) {
    database.run("BEGIN IMMEDIATE", "write to");
    state_->within = true;
  }
  if (!state_->insert) state_->insert = std::make_unique<Statement>(database, insertion());
  Statement& insert = *state_->insert;
  insert.bind(1, point.outcome.config_hash);
  insert.bind(2, base::dump_json(json_of(point.assignment), -1));
  insert.bind(3, name_of(point.outcome.status));
  insert.bind(4, point.outcome.reason);
  for (std::size_t i = 0; i < sweep_metrics().size(); ++i)
    insert.bind(static_cast<int>(5 + i),
                i < point.outcome.metrics.size() ? point.outcome.metrics[i] : std::nullopt,
                sweep_metrics()[i].integral);
  insert.step("write to");
  insert.reset();
}

void SweepStore::commit() {
  if (!state_->within) return;
  state_->database.run("COMMIT", "write to");
  state_->within = false;
}

void SweepStore::for_each(const std::function<void(StoredPoint&&)>& body) const {
  const Database& database = state_->database;
  Statement select(database, "SELECT config_hash, assignment, status, reason" +
                                 metric_columns(", ") +
                                 " FROM points WHERE id IN (SELECT MAX(id) FROM points GROUP BY "
                                 "config_hash) ORDER BY config_hash");
  while (select.step("read")) {
    StoredPoint point;
    point.outcome.config_hash = select.text(0);
    point.assignment = assignment_of(base::parse_json(select.text(1), database.path));
    point.outcome.status = status_of(database, select.text(2));
    point.outcome.reason = select.text(3);
    if (point.outcome.status == PointStatus::ok)
      for (std::size_t i = 0; i < sweep_metrics().size(); ++i)
        point.outcome.metrics.push_back(select.number(static_cast<int>(4 + i)));
    body(std::move(point));
  }
}

std::vector<StoredPoint> SweepStore::points() const {
  std::vector<StoredPoint> all;
  for_each([&all](StoredPoint&& point) { all.push_back(std::move(point)); });
  return all;
}

}  // namespace npusim::sim
