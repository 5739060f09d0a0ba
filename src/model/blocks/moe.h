// DeepSeekMoE: shared experts on every token, plus routed experts weighted by the router.
//   out = shared(x) + sum over chosen experts i (ascending) of weight_i * expert_i(x)
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size].
void moe(float* out, const Activations& x, const MoeWeights& w, int64_t layer, const Step& step);

// True when the experts want coded activations.
bool reads_coded(const MoeWeights& w);

}  // namespace minke
