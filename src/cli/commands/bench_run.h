// The measurements of `minke bench` in order, each between two probes of the machine.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/model_argument.h"

namespace minke::cli {

struct BenchOptions {
  std::string model;  // a path
  int n_repetitions = 5;
  std::vector<std::string> only;  // names of measurements or their groups; empty: all
  DType kv = DType::kF16;         // of the KV cache
  // Every row as soon as it is there, and what made a figure doubtful.
  std::function<void(const Json& row)> on_row;
  std::function<void(const std::string& text)> on_note;
};

struct BenchOutcome {
  std::vector<Json> rows;
  bool interrupted = false;  // the rows are those before Ctrl-C
};

Result<BenchOutcome> run_measurements(const BenchOptions& options, const Machine& machine);

// "pp512", "load", ... and their groups, for help and checks.
std::vector<std::string> measurement_names();

}  // namespace minke::cli
