// Activations as the packed kernels want them: rows of int8 with one scale for every 32 columns,
//   x[c] ~ d * q[c],   d = max |x| / 127 of the 32,   q = x / d rounded to nearest, ties to even,
// and beside them the sums that offsets and minima of weights need. A row lies in one piece, so that a kernel follows one
// pointer per token:
//   q [k] i8 | d [k / 32] f32 | sums [k / 32] two i16: of the first and second 16 q | d * (both sums) [k / 32] f32 |
//   d * (each sum) [k / 16] f32
// A block with an element that is not finite has d = NaN and q = 0, so what reads it becomes NaN.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

constexpr int64_t kCodeBlock = 32;  // columns with one scale

struct CodedRows {
  const uint8_t* data = nullptr;  // null: not coded
  int64_t stride = 0;             // bytes
};

// Bytes of a row of k columns (a multiple of kCodeBlock); a multiple of 64.
int64_t coded_row_bytes(int64_t k);

// A dense matrix of activations [n_tokens, n_cols], and its coded form if some weight wants it.
struct Activations {
  ConstRows rows;
  CodedRows coded;
  int64_t n_cols = 0;
};

// Codes n_tokens rows of x [n_tokens, n_cols] into memory of n_tokens * coded_row_bytes(n_cols).
CodedRows code_rows(uint8_t* memory, ConstRows x, int64_t n_tokens, int64_t n_cols, const Context& context);

}  // namespace minke
