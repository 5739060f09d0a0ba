// Which runs led to which, and what they cost together. The two numbers that people argue about: the final run (it and the
// runs whose checkpoints it grew from) and the whole programme (all of that, and every experiment that led nowhere).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/run.h"

namespace minke::ledger {

using Runs = std::vector<Run>;

const Run* find_run(const Runs& runs, int64_t id);

// The run and its parents, the oldest first. A parent that is missing from the table ends the chain.
Runs chain_of(const Runs& runs, const Run& run);

// Every run of the programme, and the parents of each from other programmes; oldest first.
Runs programme_of(const Runs& runs, std::string_view programme);

// The newest finished run of the programme, else the newest one; none for an unknown programme.
const Run* final_run(const Runs& runs, std::string_view programme);

// The names of all programmes, in order of their first run.
std::vector<std::string> programme_names(const Runs& runs);

// The newest run whose output folder is `path` or holds it: the one that wrote that checkpoint, or that is resumed there.
const Run* run_that_wrote(const Runs& runs, const std::string& path);

struct Sum {
  std::map<RunState, int64_t> n_runs;
  int64_t tokens = 0;
  double flops = 0;
  double wall_s = 0;
  double cpu_s = 0;
  double energy_j = 0;
  double estimated_energy_j = 0;        // the part that was not measured
  std::map<std::string, double> money;  // by currency
  int64_t n_unpriced = 0;               // runs without a rate

  int64_t n_all() const;
};
Sum sum_of(const Runs& runs);

}  // namespace minke::ledger
