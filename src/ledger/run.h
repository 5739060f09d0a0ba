// One row of the ledger: a run, from its start to its end in whatever way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minke::ledger {

enum class RunState : uint8_t {
  kRunning,
  kFinished,
  kInterrupted,  // Ctrl-C or SIGTERM, in order
  kFailed,       // with a reason
  kKilled,       // the process is gone and never said how it ended; the figures are those of its last update
};
std::string_view state_name(RunState state);  // running, finished, interrupted, failed, killed
std::optional<RunState> state_from_name(std::string_view name);

enum class EnergySource : uint8_t {
  kMeasured,   // RAPL counters of the whole package, other programs included
  kEstimated,  // watts x this process's share of the CPU time (energy.h)
};
std::string_view energy_source_name(EnergySource source);

// What the user pays. Nothing is set by default: a price is configured or there is none.
struct Rates {
  std::optional<double> per_hour;  // of wall time
  std::optional<double> per_kwh;
  std::string currency;  // not empty when one of them is set

  bool any() const { return per_hour.has_value() || per_kwh.has_value(); }
};

// Known when the run starts.
struct RunFacts {
  std::string kind;       // pretrain, sft, ...
  std::string name;       // of the recipe
  std::string programme;  // the work that this run and its failed siblings belong to
  std::string host;
  std::string cpu;
  int64_t n_threads = 0;
  std::string commit;
  std::string recipe_hash;
  std::string parent_checkpoint;  // a path, empty when the weights started as random numbers
  std::optional<int64_t> parent;  // the run that wrote that checkpoint, or that this run resumes
  std::string out;                // absolute path of the folder that the run writes to
  Rates rates;
};

// Grow while it runs. A run that repeats steps after a crash counts them again: it paid for them.
struct RunFigures {
  int64_t tokens = 0;
  double flops = 0;
  double wall_s = 0;
  double cpu_s = 0;
  double energy_j = 0;
  EnergySource energy_source = EnergySource::kEstimated;
};

struct Run {
  int64_t id = 0;
  RunFacts facts;
  RunState state = RunState::kRunning;
  std::string reason;      // of a failure
  std::string started_at;  // UTC, 2026-01-31T23:59:59Z
  std::string updated_at;  // of the last figures
  std::string ended_at;    // empty while it runs and when it was killed
  int64_t pid = 0;
  RunFigures figures;
};

// None when no rate is configured.
std::optional<double> money_of(const Rates& rates, const RunFigures& figures);

}  // namespace minke::ledger
