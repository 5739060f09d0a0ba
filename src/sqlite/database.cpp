#include "sqlite/database.h"

#include <sqlite3.h>

#include <chrono>
#include <thread>

namespace minke::sqlite {
namespace {

tl::unexpected<Error> database_error(const std::string& path, const Wording& wording, sqlite3* db, int code) {
  const std::string& noun = wording.noun;
  switch (code & 0xff) {
    case SQLITE_NOTADB:
      return error("{}: not a {}: expected an SQLite database; move the file away and a new one is made", path, noun);
    case SQLITE_CORRUPT:
      return error("{}: the {} is damaged ({}); keep a copy, then try: sqlite3 {} .recover", path, noun, sqlite3_errmsg(db),
                   path);
    case SQLITE_FULL:
      return error("{}: the disk is full; free some space, nothing that was written is lost", path);
    case SQLITE_BUSY:
      return error("{}: another program has kept the {} locked for too long; close it and try again", path, noun);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return error("{}: cannot open or write the {} ({}): {}", path, noun, sqlite3_errmsg(db), wording.other_place);
    default:
      return error("{}: {}: {}", path, noun, sqlite3_errmsg(db));
  }
}

// SQLite's own waiting does not cover the change of a journal: two processes that open a new file at once would both get
// SQLITE_BUSY, at once.
int set_write_ahead_log(sqlite3* db, int busy_timeout_ms) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(busy_timeout_ms);
  while (true) {
    int code = sqlite3_exec(db, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if ((code & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline) return code;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* db) const { sqlite3_close(db); }

Statement& Statement::bind(int position, std::string_view text) {
  int code = sqlite3_bind_text64(statement_.get(), position, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bind_result_ == SQLITE_OK) bind_result_ = code;
  return *this;
}

Statement& Statement::bind(int position, int64_t value) { return bind(position, std::optional<int64_t>(value)); }
Statement& Statement::bind(int position, double value) { return bind(position, std::optional<double>(value)); }

Statement& Statement::bind(int position, std::optional<int64_t> value) {
  int code = value ? sqlite3_bind_int64(statement_.get(), position, *value) : sqlite3_bind_null(statement_.get(), position);
  if (bind_result_ == SQLITE_OK) bind_result_ = code;
  return *this;
}

Statement& Statement::bind(int position, std::optional<double> value) {
  int code = value ? sqlite3_bind_double(statement_.get(), position, *value) : sqlite3_bind_null(statement_.get(), position);
  if (bind_result_ == SQLITE_OK) bind_result_ = code;
  return *this;
}

Statement& Statement::bind(int position, std::span<const std::byte> bytes) {
  // A null pointer would bind NULL, and an empty blob is not NULL.
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  int code = sqlite3_bind_blob64(statement_.get(), position, data, bytes.size(), SQLITE_TRANSIENT);
  if (bind_result_ == SQLITE_OK) bind_result_ = code;
  return *this;
}

Result<bool> Statement::step() {
  if (bind_result_ != SQLITE_OK) return database_error(path_, wording_, db_, bind_result_);
  int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_error(path_, wording_, db_, code);
}

Status Statement::run() {
  TRY(step());
  return {};
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return "";
  return std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::span<const std::byte> Statement::blob(int column) const {
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

std::optional<int64_t> Statement::optional_integer(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return integer(column);
}

std::optional<double> Statement::optional_real(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return real(column);
}

Result<Database> Database::open(const std::string& path, const DatabaseOptions& options) {
  sqlite3* raw = nullptr;
  // sqlite3_open_v2 hands out a connection even when it fails, to ask it why.
  int code = sqlite3_open_v2(path.c_str(), &raw, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  Database db(path, options.wording, raw);
  if (code != SQLITE_OK) return database_error(path, options.wording, raw, code);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, options.busy_timeout_ms);
  if (options.exclusive) TRY(db.execute("PRAGMA locking_mode = EXCLUSIVE"));
  // A file system without shared memory answers with another journal mode; transactions hold there too.
  code = set_write_ahead_log(raw, options.busy_timeout_ms);
  if (code != SQLITE_OK) return database_error(path, options.wording, raw, code);
  TRY(db.execute("PRAGMA synchronous = FULL"));
  return db;
}

Status Database::execute(const std::string& sql) {
  int code = sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return database_error(path_, wording_, db_.get(), code);
  return {};
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db_.get(), sql.c_str(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return database_error(path_, wording_, db_.get(), code);
  return Statement(path_, wording_, db_.get(), statement);
}

Result<int64_t> Database::pragma(const std::string& name) {
  Statement statement = TRY(prepare("PRAGMA " + name));
  TRY(statement.step());
  return statement.integer(0);
}

int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }

Result<Transaction> Transaction::begin(Database& db) {
  TRY(db.execute("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Transaction::~Transaction() {
  // Nothing to do about a rollback that fails: SQLite rolls back when the connection closes, too.
  if (db_ != nullptr) (void)db_->execute("ROLLBACK");
}

Status Transaction::commit() {
  TRY(db_->execute("COMMIT"));
  db_ = nullptr;
  return {};
}

}  // namespace minke::sqlite
