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
#include "model/rope_table.h"
#include "model/training/saved.h"
#include "model/weights.h"

namespace minke {

// The sequence-wise balance loss of a training pass (DeepSeek-V3 report, section 2.1.2).
struct BalanceLoss {
  std::span<const int64_t> row_lengths;  // tokens of each training row of the batch, in order
  float factor = 0;                      // alpha / number of rows of the whole batch
};

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
  const ActivationSink* sink = nullptr;  // null: nobody looks
  ExpertCache* experts = nullptr;        // null: all experts are in memory
  SavedLayer* saved = nullptr;           // null: no backward pass follows
  BalanceLoss balance = {};              // of a training pass

  // n elements that a backward pass will want; scratch when none follows.
  template <typename T>
  T* keep(int64_t n) const {
    return (saved != nullptr ? *saved->memory : arena).allocate<T>(n);
  }

  void record(int64_t layer, std::string_view name, const float* values, int64_t dim) const;
  void record(int64_t layer, std::string_view name, const int32_t* values, int64_t dim) const;
};

// What all blocks see of this batch, whose caches have room for its tokens. `arena` is reset.
Step make_step(const ModelConfig& config, const RopeFrequencies& rope, const Batch& batch, KvCache& cache, Arena& arena,
               const Context& context);

// x [n_rows, n_cols] ready for products with weights that read these forms of it.
Activations activations(const float* x, int64_t n_rows, int64_t n_cols, Codings codings, const Step& step);
// rms_norm(x) [n_tokens, dim] in new scratch, ready for products.
Activations normed_activations(const float* x, const Vector& weight, int64_t dim, double eps, Codings codings,
                               const Step& step);

// The products of kernels/packed/product.h, seen by the sink.
void multiply(std::span<const Product> products, const Step& step);
void multiply_gated(std::span<const GatedProduct> products, const Step& step);

// out [n_tokens, weight.n_rows] = x * weight^T + bias, plus what the adapter says.
struct LinearOutput {
  float* out;
  const Linear& w;
};
// Several of the same x, as one group.
void linear(std::initializer_list<LinearOutput> outputs, const Activations& x, const Step& step);
inline void linear(float* out, const Activations& x, const Linear& w, const Step& step) { linear({{out, w}}, x, step); }

// d_x [n_rows, in] += d_out [n_rows, out] * weight; the gradients of weight, bias and adapter grow by those of these rows. x as
// the forward pass had it.
void linear_backward(float* d_x, const float* d_out, const float* x, const Linear& w, int64_t n_rows, const Step& step);
// The same for a matrix without bias.
void linear_backward(float* d_x, const float* d_out, const float* x, const Weight& w, int64_t n_rows, const Step& step);

// A copy of x [n] that a backward pass will want; null when none follows.
float* keep_copy(const float* x, int64_t n, const Step& step);
// n zeros in the arena.
float* zeros(int64_t n, const Step& step);
// Turns q or k back: what apply_rope with step.rope does to a gradient.
void rope_backward(float* d_x, const RopeShape& shape, const Step& step);

// What the kernels want to know of these sequences, in the arena.
std::span<const CachedSequence> cached_sequences(const Step& step, std::span<const BatchSequence> sequences);

}  // namespace minke
