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

}  // namespace minke
