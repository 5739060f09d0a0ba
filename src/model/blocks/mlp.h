// SwiGLU feed-forward: down( silu(gate x) * up x ). Dense layers, shared experts and single experts are the same function.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size].
void mlp(float* out, const Activations& x, const MlpWeights& w, const Step& step);

// True when gate and up want coded activations.
Codings codings_of(const MlpWeights& w);

}  // namespace minke
