// Gradients of causal attention over one whole sequence, one head, by its definition (p = softmax of softmax_scale * q k^T):
//   d_v_j = sum_t p_tj d_out_t           d_s_tj = softmax_scale * p_tj (d_out_t . v_j - sum_k p_tk d_out_t . v_k)
//   d_q_t = sum_j d_s_tj k_j             d_k_j = sum_t d_s_tj q_t
// Nothing of the forward pass is needed but q, k and v: the probabilities of a block of queries are computed again, over all
// keys that they see, so memory grows with the length of the sequence and not with its square.
#pragma once

#include <cstdint>

#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

constexpr int64_t kBackwardQueries = 64;  // of one block

struct HeadBackward {
  int64_t n_tokens = 0, key_dim = 0, value_dim = 0;
  float softmax_scale = 1.0f;
  ConstRows q;      // [n_tokens, key_dim]
  ConstRows k;      // [n_tokens, key_dim]
  ConstRows v;      // [n_tokens, value_dim]
  ConstRows d_out;  // [n_tokens, value_dim]
  Rows d_q;         // [n_tokens, key_dim], overwritten
  Rows d_k;         // [n_tokens, key_dim], added to
  Rows d_v;         // [n_tokens, value_dim], added to
};

// Floats of scratch for one call.
int64_t attend_backward_scratch(int64_t n_tokens);

// On the calling thread; heads and sequences are independent but for d_k and d_v that they share.
void attend_backward(const HeadBackward& head, float* scratch, Isa isa);

}  // namespace minke
