// One transformer layer, in place on the residual stream:
//   hidden += attention(rms_norm(hidden));  hidden += mlp or moe(rms_norm(hidden))
// each part times residual_multiplier and through a norm of its own where the model has them.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// hidden [n_tokens, hidden_size]. `next`: the layer that runs after it, or null.
void run_layer(float* hidden, const LayerWeights& w, const LayerWeights* next, int64_t layer, const Step& step);

// d_hidden [n_tokens, hidden_size]: the gradient by the layer's output, replaced by that by its input. step.saved is what
// run_layer left.
void run_layer_backward(float* d_hidden, const LayerWeights& w, int64_t layer, const Step& step);

}  // namespace minke
