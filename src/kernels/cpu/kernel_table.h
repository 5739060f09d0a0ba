// The functions that exist once per instruction set, as plain pointers. Shapes are checked by the callers (kernels/*.cpp),
// which also split the work over threads and into panels.
// This header and everything else that a flagged unit includes must not define inline functions with external linkage: the
// linker would be free to keep the copy with AVX instructions for the whole program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minke {

// Reductions over k are cut into blocks of this many elements, each summed in vector lanes and added to the output in order.
// It bounds the panel of x and w that must stay in cache. A multiple of every quant block; part of the numeric contract.
constexpr int64_t kDotBlock = 1024;

enum class Accumulate : uint8_t { kOverwrite, kAdd };

// out[i, j] (=, +=) sum over c < k of x[i, c] * w[j, c], k <= kDotBlock. Strides of out and x in floats, of w in bytes.
using DotPanelFn = void (*)(float* out, int64_t out_stride, const float* x, int64_t x_stride, int64_t n_x, const uint8_t* w,
                            int64_t w_stride_bytes, int64_t n_w, int64_t k, Accumulate accumulate);

// out[i, c] += sum over j < m, in this order, of x[i, j] * w[j, c], c < n_cols. w in f32, strides in floats.
using AxpyPanelFn = void (*)(float* out, int64_t out_stride, const float* x, int64_t x_stride, int64_t n_x, const float* w,
                             int64_t w_stride, int64_t m, int64_t n_cols);

using DequantizeFn = void (*)(float* out, const uint8_t* row, int64_t n);

struct DequantizeTable {
  DequantizeFn f16, bf16, f64, f8e4m3, f8e5m2, f8e8m0;
  DequantizeFn q4_0, q4_1, q5_0, q5_1, q8_0;
  DequantizeFn q2_k, q3_k, q4_k, q5_k, q6_k;
  DequantizeFn iq4_nl, iq4_xs;
};

// A product of coded activations with panels (kernels/packed): out[t, r] = row `token_rows[t]` of x (t itself when null) times
// row r. Strides of x and panels in bytes, of out in floats.
struct PackedArguments {
  float* out;
  int64_t out_stride;
  const uint8_t* x;
  int64_t x_stride;
  const int32_t* token_rows;
  int64_t k;
  const uint8_t* panels;
  int64_t panel_bytes, head_bytes;
  int64_t n_rows;
};
using PackedFn = void (*)(const PackedArguments& arguments, int64_t n_tokens);

struct PackedTable {
  PackedFn q4_0, q4_1, q5_0, q5_1, q8_0;
  PackedFn q2_k, q3_k, q4_k, q5_k, q6_k;
  PackedFn iq4_nl, iq4_xs;
  PackedFn bf16;
};

struct KernelTable {
  DotPanelFn dot_f32, dot_f16, dot_bf16;
  AxpyPanelFn axpy_panel;
  DequantizeTable dequantize;

  PackedTable packed;
  // A row of activations, coded as kernels/packed/activations.h says.
  void (*code_row)(uint8_t* out, const float* x, int64_t k);
  void (*code_row_bf16)(uint8_t* out, const float* x, int64_t k);
  // n_words words of 16 rows, side by side (kernels/packed/layout.h).
  void (*interleave_words)(uint8_t* out, const uint8_t* rows, size_t row_bytes, int n_words);

  // One row each; see the public headers for the formulas.
  void (*rms_norm_row)(float* out, const float* x, const float* weight, int64_t dim, float eps);
  void (*swiglu)(float* out, const float* gate, const float* up, int64_t n);
  float (*row_max)(const float* x, int64_t n);  // of the elements that are not NaN; -inf if there is none
  // out[c] = exp(x[c] - max); returns the sum.
  float (*exp_row)(float* out, const float* x, float max, int64_t n);
  float (*exp_sum)(const float* x, float max, int64_t n);  // the sum alone

  // Peak probes: multiply-adds of f32, and of bytes into 32-bit sums; they return how many operations they were.
  int64_t (*multiply_add_steps)(int64_t n_steps);
  int64_t (*byte_dot_steps)(int64_t n_steps);
  // The sum of all 32-bit words of n_streams parts, one after the other in memory and read side by side.
  uint32_t (*sum_streams)(const uint8_t* data, int64_t stream_bytes, int64_t n_streams);
};

// Defined in cpu/kernels_*.cpp, the only files that are compiled with instruction set flags.
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512VnniKernels;
// What a level above has of its own; everything else is that of AVX-512 with VNNI.
struct Bf16Unit {
  PackedFn multiply;
  int64_t (*pair_dot_steps)(int64_t n_steps);  // a peak probe, as those of KernelTable
};
extern const Bf16Unit kAvx512Bf16Unit;
struct AmxUnit {
  PackedTable packed;  // of integers
  int64_t (*byte_dot_steps)(int64_t n_steps);
};
extern const AmxUnit kAmxUnit;
// The baseline x86-64 versions of the dequantisers.
extern const DequantizeTable kBaselineDequantize;

}  // namespace minke
