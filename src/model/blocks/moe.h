// DeepSeekMoE: shared experts on every token, plus routed experts weighted by the router.
//   out = shared(x) + sum over chosen experts i (ascending) of weight_i * expert_i(x)
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size]. `next`: the layer after this one if it has experts, else null; experts that are read from
// disk are read ahead by its router.
void moe(float* out, const Activations& x, const MoeWeights& w, const MoeWeights* next, int64_t layer, const Step& step);

// d_x += the gradient, that of step.balance included, whose loss goes to step.saved->moe.balance.
void moe_backward(float* d_x, const float* d_out, const float* x, const MoeWeights& w, const Step& step);

// True when the experts want coded activations.
Codings codings_of(const MoeWeights& w, const Step& step);

}  // namespace minke
