// Backward passes of the row-wise operations (norm.h, activation.h, softmax.h). d_x means the derivative of the loss by x.
// Sums over rows are made in the order of the rows, so that rows may come in several calls, and by any number of threads,
// with the same bits. Formulas: docs/derivations.md.
#pragma once

#include <cstdint>

#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

// Of rms_norm, with x as it went in and r = 1 / sqrt(mean over c of x[c]^2 + eps):
//   d_x[c] += r weight[c] d_out[c] - x[c] r^3 mean over k of (weight[k] d_out[k] x[k])
//   d_weight[c] += sum over rows of d_out[c] x[c] r     (null: not wanted)
void rms_norm_backward(Rows d_x, float* d_weight, ConstRows d_out, ConstRows x, const float* weight, int64_t n_rows,
                       int64_t dim, float eps, const Context& context);

// Of swiglu; d_gate and d_up are overwritten and may be d_out.
//   d_up = d_out silu(gate),   d_gate = d_out up s (1 + gate (1 - s)),   s = 1 / (1 + exp(-gate))
void swiglu_backward(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n,
                     const Context& context);

// d_vector[c] += sum over rows of d_out[i, c].
void sum_rows(float* d_vector, ConstRows d_out, int64_t n_rows, int64_t dim, const Context& context);

// d_table[tokens[i], c] += factor * d_rows[i, c]; tokens in [0, n_table_rows).
void scatter_rows(float* d_table, const int32_t* tokens, const float* d_rows, float factor, int64_t n_rows, int64_t dim,
                  const Context& context);

// Cross entropy of rows of logits [n_rows, dim] with the softmax in f32:
//   losses[i] = ln(sum over c of exp(logits[i, c])) - logits[i, targets[i]]
// and, when `weights` is not null, in place d_logits[i, c] = weights[i] * (softmax(logits[i])[c] - [c == targets[i]]).
// A row whose weight is 0 has no gradient and its loss is 0.
void cross_entropy(float* losses, float* logits, const int32_t* targets, const float* weights, int64_t n_rows, int64_t dim,
                   const Context& context);

// KL(p || q) of rows in nats, with p = softmax(logits[i]) and q = softmax(teacher[i]), both [n_rows, dim] and finite:
//   losses[i] = sum over c of p[c] (ln p[c] - ln q[c])
// and in place logits[i, c] = weights[i] * d losses[i] / d logits[i, c] = weights[i] p[c] (ln p[c] - ln q[c] - losses[i]).
// teacher is scratch afterwards.
void divergence(float* losses, float* logits, float* teacher, const float* weights, int64_t n_rows, int64_t dim,
                const Context& context);

}  // namespace minke
