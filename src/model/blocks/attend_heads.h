// Attention over a cache that keeps the keys and values of heads: GQA, and MLA where its latents are expanded once.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// Stores keys [n_tokens, kv heads, key_dim] and values [n_tokens, kv heads, value_dim] of the new tokens in the cache of
// `layer` and attends: attended [n_tokens, n_heads, value_dim] of q [n_tokens, n_heads, key_dim].
void attend_heads(float* attended, const float* q, const float* keys, const float* values, int64_t layer, const Step& step);

}  // namespace minke
