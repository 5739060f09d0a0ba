#include "train/rl/policy_loss.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace minke {
namespace {

void check(std::span<float> d_logprobs, const PolicyTokens& tokens, const BatchCounts& batch, const PolicyLossOptions& o) {
  int64_t n = 0;
  for (int64_t length : tokens.lengths) {
    CHECK(length >= 0 && (o.reduction != Reduction::kConstant || length <= o.max_length), "length {} of at most {}", length,
          o.max_length);
    n += length;
  }
  const auto size = static_cast<size_t>(n);
  CHECK(tokens.advantages.size() == tokens.lengths.size(), "{} advantages, {} rollouts", tokens.advantages.size(),
        tokens.lengths.size());
  CHECK(d_logprobs.size() == size && tokens.logprobs.size() == size && tokens.behavior_logprobs.size() == size &&
            tokens.entropies.size() == size && (o.kl_coef == 0 || tokens.ref_logprobs.size() == size),
        "{} tokens; {} gradients, {} log-probs, {} of the behavior, {} entropies, {} of the reference", n, d_logprobs.size(),
        tokens.logprobs.size(), tokens.behavior_logprobs.size(), tokens.entropies.size(), tokens.ref_logprobs.size());
  CHECK(batch.n_tokens >= n && batch.n_rollouts >= static_cast<int64_t>(tokens.lengths.size()),
        "a batch of {} tokens and {} rollouts with {} and {} here", batch.n_tokens, batch.n_rollouts, n, tokens.lengths.size());
  CHECK(o.clip_low >= 0 && o.clip_high >= 0 && o.kl_coef >= 0, "clip {} to {}, kl_coef {}", o.clip_low, o.clip_high, o.kl_coef);
}

Status check_distance(double distance, const char* of, size_t rollout, size_t token) {
  if (distance <= kMaxLogRatio) return {};  // false for NaN; far below, the exponential is 0 and harmless
  return error(
      "token {} of rollout {}: the log-ratio {} is {}; expected at most {}: the models have drifted too far apart, or the "
      "log-probs are not of the same tokens and temperature",
      token, rollout, of, distance, kMaxLogRatio);
}

// One rollout: what policy_loss does for all of them.
struct RolloutSpan {
  size_t index;
  size_t begin, end;  // its tokens
  double advantage;
  double weight;  // w_i
};

Status add_behavior(PolicyStats& stats, const RolloutSpan& rollout, const PolicyTokens& tokens) {
  for (size_t t = rollout.begin; t < rollout.end; t++) {
    const double logprob = tokens.logprobs[t], log_ratio = logprob - tokens.behavior_logprobs[t];
    if (!std::isfinite(logprob) || !std::isfinite(log_ratio)) {
      return error("token {} of rollout {}: the log-prob is {}, at sampling it was {}; expected finite numbers",
                   t - rollout.begin, rollout.index, logprob, tokens.behavior_logprobs[t]);
    }
    TRY(check_distance(log_ratio, "policy / behavior", rollout.index, t - rollout.begin));
    stats.behavior_kl += std::expm1(log_ratio) - log_ratio;
    stats.entropy += tokens.entropies[t];
  }
  stats.n_tokens += static_cast<int64_t>(rollout.end - rollout.begin);
  return {};
}

// -min(r A, clip(r) A), and r A where its gradient flows, else 0.
struct Clipped {
  double loss, slope;
};

Clipped clipped_objective(PolicyStats& stats, double log_ratio, double advantage, const PolicyLossOptions& o) {
  const double ratio = std::exp(log_ratio);
  const double nearest = std::clamp(ratio, 1 - o.clip_low, 1 + o.clip_high);
  const bool is_low = advantage < 0 && ratio<nearest, is_high = advantage> 0 && ratio > nearest;
  stats.n_ratios++;
  stats.ratios += ratio;
  stats.n_clipped_low += is_low;
  stats.n_clipped_high += is_high;
  if (is_low || is_high) return {-nearest * advantage, 0};
  return {-ratio * advantage, ratio * advantage};
}

double mean_log_ratio(const RolloutSpan& rollout, const PolicyTokens& tokens) {
  double sum = 0;
  for (size_t t = rollout.begin; t < rollout.end; t++) sum += double{tokens.logprobs[t]} - tokens.behavior_logprobs[t];
  return sum / static_cast<double>(rollout.end - rollout.begin);
}

Result<double> rollout_loss(std::span<float> d_logprobs, PolicyStats& stats, const RolloutSpan& rollout, const PolicyTokens& tokens,
                            const PolicyLossOptions& o) {
  if (rollout.begin == rollout.end) return 0.0;
  TRY(add_behavior(stats, rollout, tokens));
  const bool is_shared = o.ratio == RatioOf::kSequence;
  Clipped objective = {};
  if (is_shared) objective = clipped_objective(stats, mean_log_ratio(rollout, tokens), rollout.advantage, o);
  double loss = 0;
  for (size_t t = rollout.begin; t < rollout.end; t++) {
    const double logprob = tokens.logprobs[t];
    if (!is_shared) objective = clipped_objective(stats, logprob - tokens.behavior_logprobs[t], rollout.advantage, o);
    double token_loss = objective.loss, slope = -objective.slope;
    if (o.kl_coef != 0) {
      const double log_ratio = tokens.ref_logprobs[t] - logprob, excess = std::expm1(log_ratio);
      TRY(check_distance(log_ratio, "reference / policy", rollout.index, t - rollout.begin));
      stats.ref_kl += excess - log_ratio;
      token_loss += o.kl_coef * (excess - log_ratio);
      slope -= o.kl_coef * excess;
    }
    loss += rollout.weight * token_loss;
    d_logprobs[t] = static_cast<float>(rollout.weight * slope);
  }
  return loss;
}

double rollout_weight(int64_t length, const BatchCounts& batch, const PolicyLossOptions& o) {
  if (length == 0) return 0;
  const auto n_rollouts = static_cast<double>(batch.n_rollouts);
  switch (o.reduction) {
    case Reduction::kRolloutMean:
      return 1 / (n_rollouts * static_cast<double>(length));
    case Reduction::kTokenMean:
      return 1 / static_cast<double>(batch.n_tokens);
    case Reduction::kConstant:
      return 1 / (n_rollouts * static_cast<double>(o.max_length));
  }
  CHECK(false, "reduction {}", static_cast<int>(o.reduction));
}

}  // namespace

void PolicyStats::add(const PolicyStats& other) {
  n_tokens += other.n_tokens;
  n_ratios += other.n_ratios;
  n_clipped_low += other.n_clipped_low;
  n_clipped_high += other.n_clipped_high;
  ratios += other.ratios;
  ref_kl += other.ref_kl;
  behavior_kl += other.behavior_kl;
  entropy += other.entropy;
}

Result<PolicyLoss> policy_loss(std::span<float> d_logprobs, const PolicyTokens& tokens, const BatchCounts& batch,
                               const PolicyLossOptions& options) {
  check(d_logprobs, tokens, batch, options);
  PolicyLoss out;
  size_t begin = 0;
  for (size_t i = 0; i < tokens.lengths.size(); i++) {
    const size_t end = begin + static_cast<size_t>(tokens.lengths[i]);
    const RolloutSpan rollout = {i, begin, end, tokens.advantages[i], rollout_weight(tokens.lengths[i], batch, options)};
    out.loss += TRY(rollout_loss(d_logprobs, out.stats, rollout, tokens, options));
    begin = end;
  }
  return out;
}

}  // namespace minke
