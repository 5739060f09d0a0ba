#include "ledger/ledger.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/check.h"

namespace minke::ledger {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

constexpr int kBusyTimeoutMs = 20'000;
constexpr int64_t kSchemaVersion = 1;
constexpr int64_t kApplicationId = 0x6d6e6b65;  // "mnke", so that another program's database is not taken for ours

// Times are UTC as 2026-01-31T23:59:59Z. Rates are NULL when none was configured. state "running" of a process that is gone
// means killed; it stays "running" in the table, because only the missing lock tells.
constexpr const char* kSchema = R"(
CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  programme TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'interrupted', 'failed')),
  reason TEXT NOT NULL DEFAULT '',
  started_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  ended_at TEXT NOT NULL DEFAULT '',
  host TEXT NOT NULL,
  cpu TEXT NOT NULL,
  n_threads INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  build_commit TEXT NOT NULL,
  recipe_hash TEXT NOT NULL,
  parent_checkpoint TEXT NOT NULL,
  parent INTEGER REFERENCES runs (id),
  out TEXT NOT NULL,
  tokens INTEGER NOT NULL DEFAULT 0,
  flops REAL NOT NULL DEFAULT 0,
  wall_s REAL NOT NULL DEFAULT 0,
  cpu_s REAL NOT NULL DEFAULT 0,
  energy_j REAL NOT NULL DEFAULT 0,
  energy_source TEXT NOT NULL DEFAULT 'estimated' CHECK (energy_source IN ('measured', 'estimated')),
  money_per_hour REAL,
  money_per_kwh REAL,
  currency TEXT NOT NULL,
  money REAL
) STRICT;
)";

constexpr const char* kSelect =
    "SELECT id, kind, name, programme, state, reason, started_at, updated_at, ended_at, host, cpu, n_threads, pid, "
    "build_commit, recipe_hash, parent_checkpoint, parent, out, tokens, flops, wall_s, cpu_s, energy_j, energy_source, "
    "money_per_hour, money_per_kwh, currency FROM runs ";

std::string now_text() {
  std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

Run run_of(const Statement& row) {
  int column = 0;
  auto text = [&] { return row.text(column++); };
  auto integer = [&] { return row.integer(column++); };
  auto real = [&] { return row.real(column++); };
  Run run;
  run.id = integer();
  run.facts.kind = text();
  run.facts.name = text();
  run.facts.programme = text();
  run.state = state_from_name(text()).value_or(RunState::kFailed);  // the table's CHECK lets no other name in
  run.reason = text();
  run.started_at = text();
  run.updated_at = text();
  run.ended_at = text();
  run.facts.host = text();
  run.facts.cpu = text();
  run.facts.n_threads = integer();
  run.pid = integer();
  run.facts.commit = text();
  run.facts.recipe_hash = text();
  run.facts.parent_checkpoint = text();
  run.facts.parent = row.optional_integer(column++);
  run.facts.out = text();
  run.figures.tokens = integer();
  run.figures.flops = real();
  run.figures.wall_s = real();
  run.figures.cpu_s = real();
  run.figures.energy_j = real();
  run.figures.energy_source = text() == "measured" ? EnergySource::kMeasured : EnergySource::kEstimated;
  run.facts.rates.per_hour = row.optional_real(column++);
  run.facts.rates.per_kwh = row.optional_real(column++);
  run.facts.rates.currency = text();
  return run;
}

// A new file gets the table; a file of another program or of a later minke is left alone.
Status prepare_schema(Database& db) {
  if (TRY(db.pragma("user_version")) == kSchemaVersion && TRY(db.pragma("application_id")) == kApplicationId) return {};
  Transaction transaction = TRY(Transaction::begin(db));
  int64_t version = TRY(db.pragma("user_version"));  // again: another process may have been here first
  int64_t application = TRY(db.pragma("application_id"));
  if (version == kSchemaVersion && application == kApplicationId) return {};
  Statement tables = TRY(db.prepare("SELECT count(*) FROM sqlite_schema"));
  TRY(tables.step());
  if (application != kApplicationId && (tables.integer(0) > 0 || version != 0 || application != 0)) {
    return error("{}: not a ledger: the SQLite database of another program; set MINKE_HOME to another folder", db.path());
  }
  if (version > kSchemaVersion) {
    return error("{}: written by a newer minke: expected schema version {}, got {}; update minke", db.path(), kSchemaVersion,
                 version);
  }
  TRY(db.execute(kSchema));
  TRY(db.execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
  TRY(db.execute(fmt::format("PRAGMA application_id = {}", kApplicationId)));
  return transaction.commit();
}

}  // namespace

Result<std::string> default_path() {
  auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (std::string home = variable("MINKE_HOME"); !home.empty()) return home + "/ledger.sqlite";
  if (std::string data = variable("XDG_DATA_HOME"); !data.empty()) return data + "/minke/ledger.sqlite";
  std::string home = variable("HOME");
  if (home.empty()) return error("HOME is not set, so there is no place for the ledger: set HOME or MINKE_HOME");
  return home + "/.local/share/minke/ledger.sqlite";
}

Result<Ledger> Ledger::open(const std::string& path) {
  std::error_code failed;
  fs::path folder = fs::path(path).parent_path();
  if (!folder.empty()) fs::create_directories(folder, failed);
  if (failed) {
    return error("{}: cannot make the folder of the ledger: {}: set MINKE_HOME to a folder that you can write to",
                 folder.string(), failed.message());
  }
  const sqlite::DatabaseOptions options = {{"ledger", "set MINKE_HOME to a folder that you can write to"}, kBusyTimeoutMs};
  Database db = TRY(Database::open(path, options));
  TRY(prepare_schema(db));
  RunLocks locks = TRY(RunLocks::open(path + "-runs"));
  return Ledger(std::move(db), std::move(locks));
}

Result<int64_t> Ledger::start(const RunFacts& facts) {
  CHECK(!facts.rates.any() || !facts.rates.currency.empty(), "a rate without a currency");
  Transaction transaction = TRY(Transaction::begin(db_));
  Statement insert = TRY(db_.prepare(
      "INSERT INTO runs (kind, name, programme, state, started_at, updated_at, host, cpu, n_threads, pid, build_commit, "
      "recipe_hash, parent_checkpoint, parent, out, money_per_hour, money_per_kwh, currency) "
      "VALUES (?, ?, ?, 'running', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  std::string now = now_text();
  int position = 1;
  for (const std::string& text : {facts.kind, facts.name, facts.programme, now, now, facts.host, facts.cpu}) {
    insert.bind(position++, text);
  }
  insert.bind(position++, facts.n_threads);
  insert.bind(position++, static_cast<int64_t>(::getpid()));
  for (const std::string& text : {facts.commit, facts.recipe_hash, facts.parent_checkpoint}) insert.bind(position++, text);
  insert.bind(position++, facts.parent);
  insert.bind(position++, facts.out);
  insert.bind(position++, facts.rates.per_hour);
  insert.bind(position++, facts.rates.per_kwh);
  insert.bind(position++, facts.rates.currency);
  TRY(insert.run());
  int64_t id = db_.last_insert_id();
  // Before the row can be seen: nobody finds it without its lock and takes it for killed.
  TRY(locks_.hold(id));
  TRY(transaction.commit());
  return id;
}

Status Ledger::write_figures(int64_t id, const RunFigures& figures, RunState state, std::string_view reason) {
  Transaction transaction = TRY(Transaction::begin(db_));
  Statement rates = TRY(db_.prepare("SELECT money_per_hour, money_per_kwh FROM runs WHERE id = ? AND state = 'running'"));
  rates.bind(1, id);
  if (!TRY(rates.step())) return error("{}: run {} is not open, so it cannot be written", db_.path(), id);
  Rates paid{rates.optional_real(0), rates.optional_real(1), ""};
  Statement update = TRY(
      db_.prepare("UPDATE runs SET tokens = ?, flops = ?, wall_s = ?, cpu_s = ?, energy_j = ?, energy_source = ?, money = ?, "
                  "updated_at = ?, state = ?, reason = ?, ended_at = ? WHERE id = ?"));
  std::string now = now_text();
  update.bind(1, figures.tokens).bind(2, figures.flops).bind(3, figures.wall_s).bind(4, figures.cpu_s);
  update.bind(5, figures.energy_j).bind(6, energy_source_name(figures.energy_source)).bind(7, money_of(paid, figures));
  update.bind(8, now).bind(9, state_name(state)).bind(10, reason);
  update.bind(11, state == RunState::kRunning ? std::string() : now).bind(12, id);
  TRY(update.run());
  return transaction.commit();
}

Status Ledger::update(int64_t id, const RunFigures& figures) { return write_figures(id, figures, RunState::kRunning, ""); }

Status Ledger::close(int64_t id, RunState state, std::string_view reason, const RunFigures& figures) {
  CHECK(state != RunState::kRunning && state != RunState::kKilled, "a run cannot close itself as {}", state_name(state));
  TRY(write_figures(id, figures, state, reason));
  locks_.release(id);
  return {};
}

Result<std::vector<Run>> Ledger::runs() {
  Statement select = TRY(db_.prepare(std::string(kSelect) + "ORDER BY id"));
  std::vector<Run> runs;
  while (TRY(select.step())) runs.push_back(run_of(select));
  for (Run& run : runs) {
    if (run.state != RunState::kRunning || TRY(locks_.is_held(run.id))) continue;
    // It may have closed between the two looks; a row is written before its lock is given back, so a third look is certain.
    Statement again = TRY(db_.prepare(std::string(kSelect) + "WHERE id = ?"));
    again.bind(1, run.id);
    if (TRY(again.step())) run = run_of(again);
    if (run.state == RunState::kRunning) run.state = RunState::kKilled;
  }
  return runs;
}

Result<std::vector<Run>> read_runs(const std::string& path) {
  std::error_code failed;
  if (!fs::exists(path, failed) && !failed) return std::vector<Run>();
  Ledger ledger = TRY(Ledger::open(path));
  return ledger.runs();
}

}  // namespace minke::ledger
