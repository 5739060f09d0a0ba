// SQLite behind Result: a connection and its statements. Only this pair of files includes sqlite3.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace minke::sqlite {

// How messages speak of a database and what they advise.
struct Wording {
  std::string noun;         // "ledger"
  std::string other_place;  // what to do when its folder cannot be written: "set MINKE_HOME to ..."
};

class Statement {
 public:
  // Positions count from 1, as in SQL. Text and bytes are copied.
  Statement& bind(int position, std::string_view text);
  Statement& bind(int position, int64_t value);
  Statement& bind(int position, double value);
  Statement& bind(int position, std::optional<int64_t> value);
  Statement& bind(int position, std::optional<double> value);
  Statement& bind(int position, std::span<const std::byte> bytes);

  // True while there is a row to read.
  Result<bool> step();
  // For statements without rows.
  Status run();

  // Columns count from 0.
  std::string text(int column) const;
  // Valid until the next step().
  std::span<const std::byte> blob(int column) const;
  int64_t integer(int column) const;
  double real(int column) const;
  std::optional<int64_t> optional_integer(int column) const;
  std::optional<double> optional_real(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(std::string path, const Wording& wording, sqlite3* db, sqlite3_stmt* statement)
      : path_(std::move(path)), wording_(wording), db_(db), statement_(statement) {}
  std::string path_;
  Wording wording_;
  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_result_ = 0;  // the first bind that failed; step() reports it
};

struct DatabaseOptions {
  Wording wording;
  int busy_timeout_ms = 0;
  // One process has the file to itself until it closes it: no shared memory file beside it.
  bool exclusive = false;
};

class Database {
 public:
  // Write-ahead log, every commit synced, and writers that wait for each other up to busy_timeout_ms.
  static Result<Database> open(const std::string& path, const DatabaseOptions& options);

  Status execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  Result<int64_t> pragma(const std::string& name);
  int64_t last_insert_id() const;
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  Database(std::string path, Wording wording, sqlite3* db) : path_(std::move(path)), wording_(std::move(wording)), db_(db) {}
  std::string path_;
  Wording wording_;
  std::unique_ptr<sqlite3, Close> db_;
};

// Takes the write lock at once and gives everything back unless commit() was reached.
class Transaction {
 public:
  static Result<Transaction> begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Status commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}
  Database* db_;
};

}  // namespace minke::sqlite
