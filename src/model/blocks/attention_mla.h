// Multi-head latent attention (DeepSeek-V2 paper, section 2.1; DeepSeek-V3 report, section 2.1.1), in both forms:
//   latent c = RMSNorm(kv_a x), rope key k_r = RoPE(kv_a x): the two are what is cached, one row for all heads
//   naive:     k = [W_UK c ; k_r],  v = W_UV c                 scores = scale (q_nope . W_UK c + q_rope . k_r)
//   absorbed:  q~ = W_UK^T q_nope;  z = sum_j P_j c_j;  o = W_UV z   scores = scale (q~ . c + q_rope . k_r)
// The scale is that of nope + rope dimensions in both, times YaRN's mscale squared.
#pragma once

#include "model/blocks/step.h"

namespace minke {

// out, x [n_tokens, hidden_size]; x is already normalised. Appends latent and rope key of the new tokens to the cache's pages.
void attention_mla(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step);

// d_x += the gradient, in the naive form (training.md 6.4), for whole sequences (nothing was cached before them). kv_b_proj
// must be one matrix. x is the normalised input of the forward pass. The rope key's gradient is the sum over all heads.
void attention_mla_backward(float* d_x, const float* d_out, const float* x, const AttentionWeights& w, const Step& step);

}  // namespace minke
