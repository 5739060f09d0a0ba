// Which experts a token goes to, and with which weights. A pure function of the router's logits.
// Sources: DeepSeek-V2 paper section 2.2 and its modeling code (softmax; greedy and group_limited_greedy); DeepSeek-V3 report
// section 2.1.2 and inference/model.py (sigmoid, bias for the choice only, groups by the sum of their two best).
#pragma once

#include <cstdint>

#include "model/config.h"

namespace minke {

// logits [n_experts]; bias [n_experts] or null; scratch [2 * n_experts].
// experts, weights [n_experts_per_token]: ascending expert index, so that sums over experts have one order.
// Ties choose the lower index. Experts of groups that were not kept can never be chosen.
void route_token(int32_t* experts, float* weights, const float* logits, const float* bias, const MoeConfig& moe,
                 float* scratch);

// d_logits [n_experts] += the gradient by the logits of one token, from d_weights [n_experts_per_token] and, by way of all
// scores divided by their sum, from d_shares [n_experts] (null: none). The choice itself and the bias have no gradient.
// Formulas: docs/derivations.md. scratch [2 * n_experts].
void route_token_backward(float* d_logits, const float* d_weights, const float* d_shares, const float* logits,
                          const int32_t* experts, const MoeConfig& moe, float* scratch);

// The sequence-wise balance loss of DeepSeek-V3 (report, equations 17 to 20) over n_tokens tokens of one row:
//   sum over i of f_i P_i,   f_i = n_experts / (n_experts_per_token T) * |tokens that chose i|,
//   P_i = mean over tokens of score_i / sum of scores
// logits [n_tokens, n_experts]; experts [n_tokens, n_experts_per_token]; d_shares [n_experts] gets f_i / T, the gradient by a
// token's share. scratch [n_experts].
double balance_loss(float* d_shares, const float* logits, const int32_t* experts, int64_t n_tokens, const MoeConfig& moe,
                    float* scratch);

}  // namespace minke
