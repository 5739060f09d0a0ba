// What every block of one forward call sees besides its input and weights.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/context.h"
#include "kernels/packed/product.h"
#include "kernels/rope.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/expert_cache.h"
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
  ExpertCache* experts;        // null: all experts are in memory

  void record(int64_t layer, std::string_view name, const float* values, int64_t dim) const;
  void record(int64_t layer, std::string_view name, const int32_t* values, int64_t dim) const;
};

// x [n_rows, n_cols] ready for products with weights that read these forms of it.
Activations activations(const float* x, int64_t n_rows, int64_t n_cols, Codings codings, const Step& step);
// rms_norm(x) [n_tokens, dim] in new scratch, ready for products.
Activations normed_activations(const float* x, const Vector& weight, int64_t dim, double eps, Codings codings, const Step& step);

// The products of kernels/packed/product.h, seen by the sink.
void multiply(std::span<const Product> products, const Step& step);
void multiply_gated(std::span<const GatedProduct> products, const Step& step);

// out [n_tokens, weight.n_rows] = x * weight^T + bias.
struct LinearOutput {
  float* out;
  const Linear& w;
};
// Several of the same x, as one group.
void linear(std::initializer_list<LinearOutput> outputs, const Activations& x, const Step& step);
inline void linear(float* out, const Activations& x, const Linear& w, const Step& step) { linear({{out, w}}, x, step); }

// What the kernels want to know of these sequences, in the arena.
std::span<const CachedSequence> cached_sequences(const Step& step, std::span<const BatchSequence> sequences);

}  // namespace minke
