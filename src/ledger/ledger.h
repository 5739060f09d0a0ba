// The ledger: one SQLite file with a row for every run, so that failed and killed runs count too. Several processes may write
// at once. The table is documented at its CREATE statement in ledger.cpp; any SQLite program may read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "ledger/run.h"
#include "ledger/run_locks.h"
#include "sqlite/database.h"

namespace minke::ledger {

// $MINKE_HOME/ledger.sqlite, else $XDG_DATA_HOME/minke/ledger.sqlite, else ~/.local/share/minke/ledger.sqlite.
Result<std::string> default_path();

class Ledger {
 public:
  // Creates file and folders when they are missing.
  static Result<Ledger> open(const std::string& path);

  // Writes a row in state "running" and returns its number. The row counts as killed once this object, and with it the
  // process, is gone without close().
  Result<int64_t> start(const RunFacts& facts);
  Status update(int64_t id, const RunFigures& figures);
  // state: finished, interrupted or failed. A row is closed once; a second time is an error.
  Status close(int64_t id, RunState state, std::string_view reason, const RunFigures& figures);

  // All runs, oldest first. A row that says "running" without a living process comes back as killed.
  Result<std::vector<Run>> runs();

  const std::string& path() const { return db_.path(); }

 private:
  Ledger(sqlite::Database db, RunLocks locks) : db_(std::move(db)), locks_(std::move(locks)) {}
  Status write_figures(int64_t id, const RunFigures& figures, RunState state, std::string_view reason);
  sqlite::Database db_;
  RunLocks locks_;
};

// The runs of a ledger that may not exist yet: then none, and no file is made.
Result<std::vector<Run>> read_runs(const std::string& path);

}  // namespace minke::ledger
