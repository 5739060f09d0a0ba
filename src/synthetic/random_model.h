// A GGUF file of any configuration in any quant mix with random weights: the shapes, dtypes and metadata of a real file, so
// that minke and other engines can be measured on it, and nothing to say.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/context.h"
#include "base/error.h"
#include "model/config.h"

namespace minke {

struct RandomModelOptions {
  std::string name;        // general.name
  std::string mix;         // of quantize/quant_mix.h: "q4_k_m", "f16", ...
  uint64_t seed = 1;       // the same file for the same seed, whatever the threads
  bool overwrite = false;  // an existing file
  Context context;
  // Called between pieces of work with bytes of tensor data; false stops, and nothing is left behind.
  std::function<bool(uint64_t done, uint64_t total)> progress;
};

struct RandomModelReport {
  uint64_t n_tensors = 0;
  uint64_t n_bytes = 0;  // of the file
  std::vector<std::pair<std::string, uint64_t>> dtype_counts;
  bool stopped = false;  // progress said so
};

Result<RandomModelReport> write_random_model(const std::string& path, const ModelConfig& config,
                                             const RandomModelOptions& options);

}  // namespace minke
