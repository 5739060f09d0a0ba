// Grouped-query attention (Llama, Qwen): q, k, v projections with optional biases and per-head RMSNorm, RoPE, causal softmax,
// o_proj. Query head h reads kv head h / (n_heads / n_kv_heads).
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size]; x is already normalised. Appends keys and values of the new tokens to the cache's pages.
void attention_gqa(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step);

// d_x += the gradient, for whole sequences (nothing was cached before them); x is the normalised input of the forward pass.
void attention_gqa_backward(float* d_x, const float* d_out, const float* x, const AttentionWeights& w, const Step& step);

}  // namespace minke
