// Small vector operations. Each element is computed on its own with single f32 roundings: the same bits on every ISA.
// out may be any of the inputs.
#pragma once

#include <cstdint>

#include "base/context.h"

namespace minke {

void add(float* out, const float* a, const float* b, int64_t n, const Context& context);  // a + b
void scale(float* out, const float* x, float factor, int64_t n, const Context& context);  // factor * x
void axpy(float* out, float factor, const float* x, int64_t n, const Context& context);   // out + factor * x, two roundings
// Adds a vector to each row: out, x [n_rows, dim], bias [dim].
void add_bias(float* out, const float* x, const float* bias, int64_t n_rows, int64_t dim, const Context& context);

}  // namespace minke
