// Products of activations with a weight; all are f32 in, f32 accumulate, f32 out.
//   matmul:             out[i, j] = sum over c of x[i, c] * w[j, c]     x [n_tokens, k], w [m, k], out [n_tokens, m]
//   matmul_transposed:  out[i, c] = sum over j of x[i, j] * w[j, c]     x [n_tokens, m], w [m, k], out [n_tokens, k]
// Batch invariance: out[i, .] depends on row i of x and on w alone, bit for bit, whatever n_tokens, the number of threads,
// and however w is sliced into rows (for matmul) are: the order of every reduction is fixed. Rows of x and out may be
// padded; padding is neither read nor written.
#pragma once

#include <cstdint>

#include "base/context.h"
#include "kernels/weight.h"

namespace minke {

// A dense matrix of activations with rows `stride` elements apart.
struct ConstRows {
  const float* data = nullptr;
  int64_t stride = 0;
};
struct Rows {
  float* data = nullptr;
  int64_t stride = 0;
};

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context);
void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context);

// Packed rows: strides are the row lengths.
void matmul(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context);
void matmul_transposed(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context);

}  // namespace minke
