// Vector decoders for the plain float formats, and the table of a unit. The decoders of dequantize_body.h do the rest: the
// compiler vectorises them with the flags of the unit.
#pragma once

#include "kernels/cpu/dequantize_body.h"
#include "kernels/cpu/gemm_body.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/packed/bf16.h"
#include "kernels/cpu/packed/code_body.h"
#include "kernels/cpu/packed/dot.h"
#include "kernels/cpu/packed/interleave_body.h"
#include "kernels/cpu/probe_body.h"
#include "kernels/cpu/row_backward_body.h"
#include "kernels/cpu/row_body.h"

namespace minke {
namespace {

// Whole vectors by load_vector; what is left by the scalar decoder, whose bits are the same.
template <int kElementBytes, Vec (*load_vector)(const uint8_t*), DequantizeFn decode_rest>
void decode_row(float* out, const uint8_t* row, int64_t n) {
  int64_t c = 0;
  for (; c + kLanes <= n; c += kLanes) store(out + c, load_vector(row + kElementBytes * c));
  decode_rest(out + c, row + kElementBytes * c, n - c);
}

constexpr KernelTable make_table() {
  KernelTable table = {
      .gemm = {.multiply = gemm,
               .f32 = make_weight_table<F32Row, F32Block>(),
               .f16 = make_weight_table<F16Row, F16Block>(),
               .bf16 = make_weight_table<Bf16Row, Bf16Block>()},
      .dequantize = kDequantizeBodies,
      .packed =
          {
              .q4_0 = multiply_packed<Q4_0>,
              .q4_1 = multiply_packed<Q4_1>,
              .q5_0 = multiply_packed<Q5_0>,
              .q5_1 = multiply_packed<Q5_1>,
              .q8_0 = multiply_packed<Q8_0>,
              .q2_k = multiply_packed<Q2_K>,
              .q3_k = multiply_packed<Q3_K>,
              .q4_k = multiply_packed<Q4_K>,
              .q5_k = multiply_packed<Q5_K>,
              .q6_k = multiply_packed<Q6_K>,
              .iq4_nl = multiply_packed<IQ4_NL>,
              .iq4_xs = multiply_packed<IQ4_XS>,
              .bf16 = multiply_packed_bf16,
          },
      .code_row = code_row,
      .code_row_bf16 = code_row_bf16,
      .interleave_words = interleave_words,
      .rms_norm_row = rms_norm_row,
      .swiglu = swiglu,
      .row_max = row_max,
      .exp_row = exp_row,
      .exp_sum = exp_sum,
      .add_row = add_row,
      .scale_row = scale_row,
      .axpy_row = axpy_row,
      .rms_norm_backward_row = rms_norm_backward_row,
      .swiglu_backward = swiglu_backward,
      .softmax_backward_row = softmax_backward_row,
      .dot_row = dot_row,
      .add_product = add_product,
      .multiply_add_steps = multiply_add_steps,
      .byte_dot_steps = byte_dot_steps,
      .sum_streams = sum_streams,
  };
  table.dequantize.f16 = decode_row<2, load_f16, dequantize_f16>;
  table.dequantize.bf16 = decode_row<2, load_bf16, dequantize_bf16>;
  table.dequantize.f8e4m3 = decode_row<1, load_f8e4m3, dequantize_f8e4m3>;
  table.dequantize.f8e5m2 = decode_row<1, load_f8e5m2, dequantize_f8e5m2>;
  return table;
}

}  // namespace
}  // namespace minke
