// The functions that exist once per instruction set, as plain pointers. Shapes are checked by the callers (kernels/*.cpp),
// which also split the work over threads and into panels.
// This header and everything else that a flagged unit includes must not define inline functions with external linkage: the
// linker would be free to keep the copy with AVX instructions for the whole program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minke {

// Products of floats are made of tiles of at most kGemmCols columns, over panels [depth][kGemmCols] with depth <= kGemmDepth.
constexpr int64_t kGemmCols = 32;
constexpr int64_t kGemmDepth = 256;

// What becomes of the sums of a tile: they start at zero and are stored or added to out, or go on from what out holds.
enum class TileSums : uint8_t { kStore, kAdd, kResume };

// out[i, j] = sum over d < depth of a(i, d) * b[d, j], j < n_cols. a(i, d) is rows[i][rows_offset + d], or
// columns[d * columns_stride + i] where rows is null. A row of b has kGemmCols readable elements, or kGemmCols / 2 where n_cols
// is no more.
struct GemmArguments {
  float* out;
  int64_t out_stride;
  const float* const* rows;
  int64_t rows_offset;
  const float* columns;
  int64_t columns_stride;
  const float* b;
  int64_t b_stride;
  int64_t n_rows, n_cols, depth;
  TileSums sums;
};

// Columns [first, first + n_cols) of kGemmCols rows that lie anywhere; missing ones point to any other row.
// What is read next is asked for in advance: the same rows up to byte row_end, and beyond it what lies `next` bytes further
// (0: nothing).
struct WeightRows {
  const uint8_t* const* rows;
  int64_t first, n_cols;
  int64_t row_end, next;
};

// See cpu/gemm_body.h. `first` counts elements, b_stride bytes.
using TransposePanelFn = void (*)(float* panel, const WeightRows& w);
using CopyPanelsFn = void (*)(float* panels, int64_t panel_cols, const uint8_t* const* rows, int64_t first, int64_t n_rows,
                              int64_t n_cols);
using FewForwardFn = void (*)(const GemmArguments& arguments, const WeightRows& w);
using FewTransposedFn = void (*)(const GemmArguments& arguments, const uint8_t* b, int64_t b_stride);

// What a format of weights needs.
struct WeightTable {
  TransposePanelFn transpose;
  CopyPanelsFn copy;
  // For at most kFewTokens rows of out the weight is read once, straight into registers. Forward: of kGemmCols / 2 rows where
  // n_cols is no more.
  FewForwardFn forward;
  FewTransposedFn transposed;  // any n_cols
};
constexpr int64_t kFewTokens = 4;

struct GemmTable {
  void (*multiply)(const GemmArguments& arguments);
  WeightTable f32, f16, bf16;
};

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
  GemmTable gemm;
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

  // kernels/elementwise.h; the same bits on every level.
  void (*add_row)(float* out, const float* a, const float* b, int64_t n);
  void (*scale_row)(float* out, const float* x, float factor, int64_t n);
  void (*axpy_row)(float* out, float factor, const float* x, int64_t n);

  // Backward passes of one row each.
  // d_x += the gradient; returns 1 / rms(x), which the gradient of the weight needs.
  float (*rms_norm_backward_row)(float* d_x, const float* d_out, const float* x, const float* weight, int64_t dim, float eps);
  void (*swiglu_backward)(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n);
  // d[c] becomes factor * p[c] * (d[c] - sum over c of p[c] d[c]).
  void (*softmax_backward_row)(float* d, const float* p, float factor, int64_t n);
  float (*dot_row)(const float* a, const float* b, int64_t n);
  void (*add_product)(float* out, const float* a, const float* b, float factor, int64_t n);  // out += factor * a * b

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
