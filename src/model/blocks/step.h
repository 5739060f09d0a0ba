// What every block of one forward call sees besides its input and weights.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/context.h"
#include "kernels/rope.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/weights.h"

namespace minke {

struct Step {
  const ModelConfig& config;
  const Batch& batch;
  KvCache& cache;
  int64_t n_tokens;
  RopeTable rope;            // one row per token of the batch
  const int64_t* rope_rows;  // [n_tokens] = 0, 1, 2, ...
  RopeLayout rope_layout;
  Arena& arena;
  const Context& context;
  const ActivationSink* sink;  // null: nobody looks

  void record(int64_t layer, std::string_view name, const float* values, int64_t dim) const;
  void record(int64_t layer, std::string_view name, const int32_t* values, int64_t dim) const;
};

// out [n_tokens, weight.n_rows] = x * weight^T + bias.
void linear(float* out, const float* x, const Linear& w, int64_t n_tokens, const Context& context);

// What the kernels want to know of these sequences, in the arena.
std::span<const CachedSequence> cached_sequences(const Step& step, std::span<const BatchSequence> sequences);

}  // namespace minke
