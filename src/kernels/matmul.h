// Products of activations with a weight, and their gradients; all are f32 in, f32 accumulate, f32 out.
//   matmul:             out[i, j] = sum over c of x[i, c] * w[j, c]        x [n_tokens, k], w [m, k], out [n_tokens, m]
//   matmul_transposed:  out[i, c] = sum over j of x[i, j] * w[j, c]        x [n_tokens, m], w [m, k], out [n_tokens, k]
//   matmul_gradient:    d_w[j, c] += sum over i of d_out[i, j] * x[i, c]   d_out [n_tokens, m], x [n_tokens, k], d_w [m, k]
// With Accumulate::kAdd the first two add to what out holds.
//
// Order of additions: the terms of an output are summed one by one, each with one rounding, in blocks of kSumBlock terms; each
// block starts at zero and is added to the output in turn. So an output depends on its terms alone, bit for bit: not on
// n_tokens (rows of the first two), the number of threads, the instruction set, or how w is sliced into rows (for matmul).
// matmul_gradient goes on from what d_w holds, token after token, so the tokens of a batch may come in any number of calls.
// Only Isa::kRef differs: it sums in f64.
// Rows of x and out may be padded; padding is neither read nor written.
#pragma once

#include <cstdint>
#include <span>

#include "base/context.h"
#include "kernels/rows.h"
#include "kernels/weight.h"

namespace minke {

constexpr int64_t kSumBlock = 256;  // a multiple of every quant block; part of the numeric contract

// The gradient of a weight [n_rows, n_cols], packed.
struct WeightGradient {
  float* data = nullptr;
  int64_t n_rows = 0;
  int64_t n_cols = 0;
};

void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, Accumulate accumulate, const Context& context);
void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, Accumulate accumulate, const Context& context);
void matmul_gradient(const WeightGradient& d_w, ConstRows d_out, ConstRows x, int64_t n_tokens, const Context& context);

// kOverwrite.
void matmul(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context);
void matmul_transposed(Rows out, ConstRows x, const Weight& w, int64_t n_tokens, const Context& context);
// And packed rows: strides are the row lengths.
void matmul(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context);
void matmul_transposed(float* out, const float* x, const Weight& w, int64_t n_tokens, const Context& context);

// Several products in one parallel loop (the experts of a layer). Each gives the bits that it gives alone. Their outputs do not
// overlap. Row indices pick rows of an operand: row t of the product reads row token_rows[t] of x; null: t itself.
struct MatmulJob {
  Rows out;
  ConstRows x;
  const Weight* w = nullptr;
  int64_t n_tokens = 0;
  const int32_t* token_rows = nullptr;
};
void matmul_group(std::span<const MatmulJob> jobs, Accumulate accumulate, const Context& context);
void matmul_transposed_group(std::span<const MatmulJob> jobs, Accumulate accumulate, const Context& context);

struct GradientJob {
  WeightGradient d_w;
  ConstRows d_out;
  ConstRows x;
  int64_t n_tokens = 0;
  const int32_t* d_out_rows = nullptr;
  const int32_t* x_rows = nullptr;
};
void matmul_gradient_group(std::span<const GradientJob> jobs, const Context& context);

// The same three for small f32 matrices on the caller's thread, for use inside parallel loops: every operand has a stride of
// its own, and nothing is allocated. Same order of additions.
struct SmallShape {
  int64_t n_tokens = 0;
  int64_t m = 0;
  int64_t k = 0;
};
void small_matmul(Rows out, ConstRows x, ConstRows w, SmallShape shape, Accumulate accumulate, Isa isa);
void small_matmul_transposed(Rows out, ConstRows x, ConstRows w, SmallShape shape, Accumulate accumulate, Isa isa);
void small_matmul_gradient(Rows d_w, ConstRows d_out, ConstRows x, SmallShape shape, Accumulate accumulate, Isa isa);

}  // namespace minke
