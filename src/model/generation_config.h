// generation_config.json: how the model's makers sample from it. Absent keys stay unset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke {

struct GenerationConfig {
  std::optional<bool> do_sample;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int64_t> top_k;
  std::vector<int64_t> eos_token_ids;
};

// An empty path is an empty config.
Result<GenerationConfig> read_generation_config(const std::string& path);

}  // namespace minke
