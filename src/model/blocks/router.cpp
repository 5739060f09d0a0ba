#include "model/blocks/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace minke {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr float kNormEpsilon = 1e-20f;  // as in the published modeling code

// scores [n] of the logits: probabilities over all experts, or independent sigmoids.
void score(float* scores, const float* logits, int64_t n, RouterScoring scoring) {
  if (scoring == RouterScoring::kSigmoid) {
    for (int64_t i = 0; i < n; i++) scores[i] = 1.0f / (1.0f + std::exp(-logits[i]));
    return;
  }
  float max = *std::max_element(logits, logits + n);
  float sum = 0;
  for (int64_t i = 0; i < n; i++) {
    scores[i] = std::exp(logits[i] - max);
    sum += scores[i];
  }
  for (int64_t i = 0; i < n; i++) scores[i] /= sum;
}

float group_score(const float* choice, int64_t group_size, RouterSelection selection) {
  float best = kMinusInfinity, second = kMinusInfinity;
  for (int64_t i = 0; i < group_size; i++) {
    if (choice[i] > best) {
      second = best;
      best = choice[i];
    } else if (choice[i] > second) {
      second = choice[i];
    }
  }
  return selection == RouterSelection::kGroupTopTwo ? best + second : best;
}

// Keeps the topk_groups best groups and makes every other expert impossible.
void drop_groups(float* choice, const MoeConfig& moe) {
  int64_t group_size = moe.n_routed_experts / moe.n_groups;
  float kept_scores[4096];
  CHECK(moe.n_groups <= 4096, "n_groups {}", moe.n_groups);
  for (int64_t g = 0; g < moe.n_groups; g++) kept_scores[g] = group_score(choice + g * group_size, group_size, moe.selection);
  for (int64_t g = 0; g < moe.n_groups; g++) {
    // A group's rank: how many groups beat it, ties won by the lower index.
    int64_t rank = 0;
    for (int64_t other = 0; other < moe.n_groups; other++) {
      if (kept_scores[other] > kept_scores[g] || (kept_scores[other] == kept_scores[g] && other < g)) rank++;
    }
    if (rank >= moe.topk_groups) std::fill_n(choice + g * group_size, group_size, kMinusInfinity);
  }
}

}  // namespace

void route_token(int32_t* experts, float* weights, const float* logits, const float* bias, const MoeConfig& moe,
                 float* scratch) {
  int64_t n = moe.n_routed_experts, k = moe.n_experts_per_token;
  float* scores = scratch;      // what the weights come from
  float* choice = scratch + n;  // what the choice comes from
  score(scores, logits, n, moe.scoring);
  for (int64_t i = 0; i < n; i++) choice[i] = bias != nullptr ? scores[i] + bias[i] : scores[i];
  if (moe.n_groups > 1 && moe.selection != RouterSelection::kTopk) drop_groups(choice, moe);

  for (int64_t i = 0; i < k; i++) {
    // NaN logits (a broken checkpoint) never compare greater: start from any expert not taken yet instead of from none.
    int64_t best = -1;
    for (int64_t e = 0; e < n; e++) {
      bool taken = std::find(experts, experts + i, static_cast<int32_t>(e)) != experts + i;
      if (!taken && (best < 0 || choice[e] > choice[best])) best = e;
    }
    experts[i] = static_cast<int32_t>(best);
  }
  std::sort(experts, experts + k);

  float sum = 0;
  for (int64_t i = 0; i < k; i++) sum += scores[experts[i]];
  bool normalise = moe.norm_topk && (k > 1 || moe.scoring == RouterScoring::kSigmoid);
  float factor = normalise && !moe.scale_after_norm ? 1.0f : static_cast<float>(moe.routed_scaling_factor);
  for (int64_t i = 0; i < k; i++) {
    float weight = scores[experts[i]];
    if (normalise) weight /= sum + kNormEpsilon;
    weights[i] = weight * factor;
  }
}

}  // namespace minke
