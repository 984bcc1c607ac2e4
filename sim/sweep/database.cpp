// SPDX-License-Identifier: Apache-2.0
#include "sim/sweep/database.h"

#include <sqlite3.h>

#include <system_error>

#include "base/error.h"

namespace npusim::sim {

Database::~Database() {
  sqlite3_close(handle);
}

void Database::fail(const std::string& what) const {
  std::string why = sqlite3_errmsg(handle);
  const int code = sqlite3_errcode(handle) & 0xff;
  if (code == SQLITE_BUSY) why = "another process has it open";
  const int error = sqlite3_system_errno(handle);
  if (code == SQLITE_IOERR && error != 0) why += ": " + std::generic_category().message(error);
  base::Diagnostic diagnostic;
  diagnostic.file = path;
  diagnostic.code = "store";
  diagnostic.message = "cannot " + what + " the store: " + why;
  if (code == SQLITE_FULL || code == SQLITE_IOERR)
    diagnostic.allowed = "room on the disk; what was stored before is kept, go on by --resume";
  throw base::InputError({diagnostic});
}

void Database::run(const std::string& sql, const char* what) const {
  if (sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(what);
}

Statement::Statement(const Database& database, const std::string& sql) : database_(&database) {
  if (sqlite3_prepare_v2(database.handle, sql.c_str(), -1, &statement_, nullptr) != SQLITE_OK)
    database.fail("read");
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::bind(int at, const std::string& text) {
  sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
}

void Statement::bind(int at, const std::optional<double>& value, bool integral) {
  if (!value)
    sqlite3_bind_null(statement_, at);
  else if (integral)
    sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(*value));
  else
    sqlite3_bind_double(statement_, at, *value);
}

bool Statement::step(const char* what) {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    sqlite3_reset(statement_);
    database_->fail(what);
  }
  return code == SQLITE_ROW;
}

void Statement::reset() {
  sqlite3_reset(statement_);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr ? std::string() : std::string(bytes);
}

std::optional<double> Statement::number(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return {};
  return sqlite3_column_double(statement_, column);
}

}  // namespace npusim::sim
