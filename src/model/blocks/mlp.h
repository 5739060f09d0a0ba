// SwiGLU feed-forward: down( silu(gate x) * up x ). Dense layers, shared experts and single experts are the same function.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size].
void mlp(float* out, const Activations& x, const MlpWeights& w, const Step& step);

// d_x += the gradient; `saved` are the rows before SwiGLU, x the input of the forward pass. For experts the same function.
void mlp_backward(float* d_x, const float* d_out, const SavedMlp& saved, const float* x, const MlpWeights& w, int64_t n_rows,
                  const Step& step);

bool has_adapter(const MlpWeights& w);

// True when gate and up want coded activations.
Codings codings_of(const MlpWeights& w);

}  // namespace minke
