// Row-wise softmax and its logarithm, with the maximum subtracted first:
//   softmax:      out[i, c] = exp(x[i, c] - max_i) / sum over c of exp(x[i, c] - max_i)
//   log_softmax:  out[i, c] = x[i, c] - max_i - ln(sum over c of exp(x[i, c] - max_i))
// -inf entries get probability 0. A row with a NaN, a +inf, or only -inf has no distribution and becomes NaN.
#pragma once

#include <cstdint>

#include "base/context.h"

namespace minke {

// x, out [n_rows, dim] packed; out may be x.
void softmax(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context);
void log_softmax(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context);

// The entropy of each row's distribution in nats, of finite x [n_rows, dim]: with y_c = x[i, c] - max_i, s = sum of exp(y_c),
//   out[i] = ln s - (sum over c of y_c exp(y_c)) / s
void entropy(float* out, const float* x, int64_t n_rows, int64_t dim, const Context& context);

}  // namespace minke
