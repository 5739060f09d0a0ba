// SwiGLU feed-forward: down( silu(gate x) * up x ). Dense layers, shared experts and single experts are the same function.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size].
void mlp(float* out, const float* x, const MlpWeights& w, int64_t n_tokens, Arena& arena, const Context& context);

}  // namespace minke
