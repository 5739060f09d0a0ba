// Products of activations with weights in groups, so that one parallel loop serves all of them: projections of the same
// activations, or the experts of a layer, each with its own tokens.
// Packed weights read the coded activations, all others the f32 rows. Batch-invariant like matmul.
#pragma once

#include <span>

#include "kernels/packed/activations.h"
#include "kernels/weight.h"

namespace minke {

// out [n_tokens, w.n_rows]: row t is x row `token_rows[t]` (t itself when null) times w^T.
struct Product {
  Rows out;
  const Activations* x = nullptr;
  const Weight* w = nullptr;
  int64_t n_tokens = 0;
  const int32_t* token_rows = nullptr;
};
void multiply(std::span<const Product> products, const Context& context);

// out = silu(x gate^T) * (x up^T), [n_tokens, gate.n_rows]; `up_out`: scratch of the same shape.
struct GatedProduct {
  Rows out, up_out;
  const Activations* x = nullptr;
  const Weight* gate = nullptr;
  const Weight* up = nullptr;
  int64_t n_tokens = 0;
  const int32_t* token_rows = nullptr;
};
void multiply_gated(std::span<const GatedProduct> products, const Context& context);

}  // namespace minke
