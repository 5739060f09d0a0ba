// What every block of one forward call sees besides its input and weights.
#pragma once

#include <cstdint>
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

// Copies the new rows of every sequence into its pages. rows [n_tokens, dim] with stride `stride`.
enum class CachePart { kKeys, kValues };
void store_rows(const float* rows, int64_t stride, int64_t dim, int64_t offset, CachePart part, int64_t layer,
                const Step& step);

// For queries at positions first, first + 1, ...: how many keys of the page that starts at `page_start` each may see.
void causal_visibility(int64_t* n_visible, int64_t n_queries, int64_t first_position, int64_t page_start);

}  // namespace minke
