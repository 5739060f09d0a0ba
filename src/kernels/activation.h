// SwiGLU: out = silu(gate) * up, silu(g) = g / (1 + exp(-g)). Elementwise; out may be gate or up.
#pragma once

#include <cstdint>

#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

void swiglu(float* out, const float* gate, const float* up, int64_t n, const Context& context);
// Rows, for gate and up that lie side by side: out, gate, up [n_rows, dim].
void swiglu(Rows out, ConstRows gate, ConstRows up, int64_t n_rows, int64_t dim, const Context& context);

}  // namespace minke
