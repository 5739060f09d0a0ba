// RMS norm of each row: out[i, c] = weight[c] * x[i, c] / sqrt(mean over c of x[i, c]^2 + eps). Statistics in f32 (ref: f64).
#pragma once

#include <cstdint>

#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

// x, out [n_rows, dim], out may be x; weight [dim].
void rms_norm(Rows out, ConstRows x, const float* weight, int64_t n_rows, int64_t dim, float eps, const Context& context);
// Packed rows.
void rms_norm(float* out, const float* x, const float* weight, int64_t n_rows, int64_t dim, float eps, const Context& context);

}  // namespace minke
