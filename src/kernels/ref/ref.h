// The definition of every operation: scalar, f64 inside, one rounding to f32 at the end, as short as possible. SIMD versions
// are tested against these; MINKE_ISA=ref runs a whole model on them. Arguments are those of the public headers, checked
// there; the ranges are what one thread computes.
#pragma once

#include <cstdint>

#include "kernels/cpu/attention/table.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/matmul.h"
#include "kernels/optimizer.h"
#include "kernels/rope.h"

namespace minke::ref {

// Columns [begin, end) of out.
void matmul(const MatmulJob& job, Accumulate accumulate, int64_t begin, int64_t end);
// Rows [begin, end) of out.
void matmul_transposed(const MatmulJob& job, Accumulate accumulate, int64_t begin, int64_t end);
// Rows [begin, end) of d_w.
void matmul_gradient(const GradientJob& job, int64_t begin, int64_t end);

void rms_norm_row(float* out, const float* x, const float* weight, int64_t dim, float eps);
void swiglu(float* out, const float* gate, const float* up, int64_t n);
void add_row(float* out, const float* a, const float* b, int64_t n);
void scale_row(float* out, const float* x, float factor, int64_t n);
void axpy_row(float* out, float factor, const float* x, int64_t n);
void softmax_row(float* out, const float* x, int64_t dim);
void log_softmax_row(float* out, const float* x, int64_t dim);
float entropy_row(const float* x, int64_t dim);
// One head: rope_dim elements at x, rope_dim / 2 angles.
void rotate(float* x, const float* cos, const float* sin, int64_t rope_dim, RopeLayout layout);
void adamw(const TrainedValues& values, MutableFloats m, MutableFloats v, const float* grad, int64_t n,
           const AdamwNumbers& numbers);
void momentum(float* update, MutableFloats buffer, const float* grad, int64_t n, const MomentumNumbers& numbers);
void apply_update(const TrainedValues& values, const float* update, int64_t n, double decay, double step_size);
double sum_of_squares(const float* x, int64_t n);
// Keys and values as the pages hold them, queries as they are (not coded), all sums in f64.
extern const AttentionTable kAttention;

// Backward passes, as kernels/cpu/kernel_table.h describes them.
float rms_norm_backward_row(float* d_x, const float* d_out, const float* x, const float* weight, int64_t dim, float eps);
void swiglu_backward(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n);
void softmax_backward_row(float* d, const float* p, float factor, int64_t n);
float dot_row(const float* a, const float* b, int64_t n);
void add_product(float* out, const float* a, const float* b, float factor, int64_t n);
// The loss of one row; its logits become their gradient when weight is not null. `table` is not used.
float cross_entropy_row(float* logits, int32_t target, const float* weight, int64_t dim, const KernelTable* table);

}  // namespace minke::ref
