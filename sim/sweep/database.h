// SPDX-License-Identifier: Apache-2.0
// SQLite's handles with an owner, and its errors as those of a store.
#pragma once

#include <optional>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace npusim::sim {

struct Database {
  sqlite3* handle = nullptr;
  std::string path;

  Database() = default;
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// "cannot `what` the store", and why.
  [[noreturn]] void fail(const std::string& what) const;
  void run(const std::string& sql, const char* what) const;
};

/// Its database must outlive it.
class Statement {
 public:
  Statement(const Database& database, const std::string& sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int at, const std::string& text);
  void bind(int at, const std::optional<double>& value, bool integral);
  /// True while there is a row.
  bool step(const char* what);
  void reset();
  std::string text(int column) const;
  std::optional<double> number(int column) const;

 private:
  const Database* database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace npusim::sim
