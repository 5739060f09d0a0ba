// The rows of `minke bench`: one JSON object for every measurement, and the line that a person reads of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "kernels/probe.h"
#include "measure/model_cost.h"
#include "measure/speed.h"
#include "model/model.h"

namespace minke::cli {

// What the machine gave right before and right after a measurement.
struct PeakPair {
  MachinePeaks before, after;
  // Their mean, which shares of a peak refer to.
  MachinePeaks mean() const;
  // "read bandwidth 24.0 -> 18.1 GB/s", for what changed by more than 15 %; empty when the machine was steady.
  std::string unsteady() const;
};

// What every row says about where and what.
Json machine_json(const Context& context);
Json model_json(const std::string& path, const Model& model, uint64_t file_bytes);
// The arguments of this process.
std::string command_line();

// A row without machine and model: name, unit, median, samples, and what follows from them.
Json prefill_row(const std::string& name, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                 const PeakPair& peaks);
Json decode_row(const std::string& name, int64_t depth, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
                int64_t kv_bytes_per_token, const PeakPair& peaks);
Json batch_row(const std::string& name, int64_t n_sequences, int64_t n_tokens, const Seconds& seconds, const ModelCost& cost,
               const PeakPair& peaks);
Json load_row(const LoadTimes& times);
Json memory_row(int64_t peak_bytes, uint64_t file_bytes, int64_t kv_bytes);

// A row in one line.
std::string row_text(const Json& row);

}  // namespace minke::cli
