#include "model/blocks/router.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

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

bool normalises(const MoeConfig& moe) {
  return moe.norm_topk && (moe.n_experts_per_token > 1 || moe.scoring == RouterScoring::kSigmoid);
}

float weight_factor(const MoeConfig& moe) {
  return normalises(moe) && !moe.scale_after_norm ? 1.0f : static_cast<float>(moe.routed_scaling_factor);
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
  bool normalise = normalises(moe);
  float factor = weight_factor(moe);
  for (int64_t i = 0; i < k; i++) {
    float weight = scores[experts[i]];
    if (normalise) weight /= sum + kNormEpsilon;
    weights[i] = weight * factor;
  }
}

void route_token_backward(float* d_logits, const float* d_weights, const float* d_shares, const float* logits,
                          const int32_t* experts, const MoeConfig& moe, float* scratch) {
  const int64_t n = moe.n_routed_experts, k = moe.n_experts_per_token;
  float *scores = scratch, *d_scores = scratch + n;
  score(scores, logits, n, moe.scoring);
  std::fill_n(d_scores, n, 0.0f);
  const float factor = weight_factor(moe);
  if (normalises(moe)) {
    // weight_i = factor * s_i / Z, Z = sum of the chosen: d_s_i = factor / Z * (d_weight_i - sum_j s_j / Z d_weight_j)
    double sum = kNormEpsilon, mean = 0;
    for (int64_t i = 0; i < k; i++) sum += scores[experts[i]];
    for (int64_t i = 0; i < k; i++) mean += scores[experts[i]] / sum * d_weights[i];
    for (int64_t i = 0; i < k; i++) d_scores[experts[i]] = static_cast<float>(factor / sum * (d_weights[i] - mean));
  } else {
    for (int64_t i = 0; i < k; i++) d_scores[experts[i]] = factor * d_weights[i];
  }
  if (d_shares != nullptr) {
    double sum = 0, mean = 0;
    for (int64_t i = 0; i < n; i++) sum += scores[i];
    for (int64_t i = 0; i < n; i++) mean += scores[i] / sum * d_shares[i];
    for (int64_t i = 0; i < n; i++) d_scores[i] += static_cast<float>((d_shares[i] - mean) / sum);
  }
  if (moe.scoring == RouterScoring::kSigmoid) {
    for (int64_t i = 0; i < n; i++) d_logits[i] += d_scores[i] * scores[i] * (1.0f - scores[i]);
    return;
  }
  double mean = 0;
  for (int64_t i = 0; i < n; i++) mean += double{scores[i]} * d_scores[i];
  for (int64_t i = 0; i < n; i++) d_logits[i] += static_cast<float>(scores[i] * (d_scores[i] - mean));
}

double balance_loss(float* d_shares, const float* logits, const int32_t* experts, int64_t n_tokens, const MoeConfig& moe,
                    float* scratch) {
  const int64_t n = moe.n_routed_experts, k = moe.n_experts_per_token;
  const double t = static_cast<double>(n_tokens), per_token = static_cast<double>(n) / (static_cast<double>(k) * t);
  std::vector<double> shares(static_cast<size_t>(n)), chosen(static_cast<size_t>(n));
  for (int64_t i = 0; i < n_tokens; i++) {
    score(scratch, logits + i * n, n, moe.scoring);
    double sum = 0;
    for (int64_t e = 0; e < n; e++) sum += scratch[e];
    for (int64_t e = 0; e < n; e++) shares[static_cast<size_t>(e)] += scratch[e] / sum;
    for (int64_t j = 0; j < k; j++) chosen[static_cast<size_t>(experts[i * k + j])] += 1;
  }
  double loss = 0;
  for (int64_t e = 0; e < n; e++) {
    const double f = per_token * chosen[static_cast<size_t>(e)];
    loss += f * shares[static_cast<size_t>(e)] / t;
    d_shares[e] = static_cast<float>(f / t);
  }
  return loss;
}

}  // namespace minke
