// Activations as the packed kernels want them. Packed integers read rows of int8 with one scale for every 32 columns,
//   x[c] ~ d * q[c],   d = max |x| / 127 of the 32,   q = x / d rounded to nearest, ties to even,
// and beside them the sums that offsets and minima of weights need. A row lies in one piece, so that a kernel follows one
// pointer per token:
//   q [k] i8 | d [k / 32] f32 | sums [k / 32] two i16: of the first and second 16 q | d * (both sums) [k / 32] f32 |
//   d * (each sum) [k / 16] f32
// A block with an element that is not finite has d = NaN and q = 0, so what reads it becomes NaN.
// Packed bf16 reads rows of bf16: x rounded to nearest, ties to even.
#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

constexpr int64_t kCodeBlock = 32;  // columns with one scale

// Forms of activations beside f32.
struct Codings {
  bool int8 = false;
  bool bf16 = false;
  bool any() const { return int8 || bf16; }
  Codings operator|(const Codings& other) const { return {int8 || other.int8, bf16 || other.bf16}; }
};
// What products read: with a packed weight of this dtype; with this weight, nothing unless it is packed.
Codings codings_of(DType packed);
Codings codings_of(const Weight& weight);

struct CodedRows {
  uint8_t* data = nullptr;  // null: not coded
  int64_t stride = 0;       // bytes, a multiple of 64
};

// A dense matrix of activations [n_tokens, n_cols], and the coded forms of it that some weights want.
struct Activations {
  ConstRows rows;
  int64_t n_cols = 0;
  CodedRows int8, bf16;
};

// Bytes of n_tokens rows of n_cols (a multiple of kCodeBlock if anything is coded) in all of these forms together.
int64_t coded_bytes(Codings codings, int64_t n_tokens, int64_t n_cols);
// x with room for its coded forms in memory of coded_bytes, not filled yet.
Activations place_codes(ConstRows x, int64_t n_tokens, int64_t n_cols, Codings codings, uint8_t* memory);
// Fills the forms of rows [begin, end), on the calling thread.
void code_rows(const Activations& x, int64_t begin, int64_t end, Isa isa);
// Both, on all threads of the context.
Activations code_rows(ConstRows x, int64_t n_tokens, int64_t n_cols, Codings codings, uint8_t* memory, const Context& context);

}  // namespace minke
