// The policy's loss and its gradient by the log-probs of the tokens that were sampled. Pure: arrays in, arrays out.
// With l, b, f the log-probs of a token under the policy, the policy that sampled it and the reference, o_i the rollouts,
// the loss (to be minimised, so -J of the papers) is
//   L = sum over i of w_i sum over t of ( -min(r A_i, clip(r, 1 - clip_low, 1 + clip_high) A_i) + kl_coef k3 )
//   r  = exp(l - b)                              of a token: GRPO, DeepSeekMath (arXiv 2402.03300), equations 3 and 21
//      = exp(mean over t of (l - b))             of a sequence: GSPO, arXiv 2507.18071, equations 5 to 7
//   k3 = exp(f - l) - (f - l) - 1                of a token: DeepSeekMath, equation 4; never negative
//   w_i = 1 / (n_rollouts |o_i|)                 each rollout counts the same: GRPO
//       = 1 / n_tokens                           each token counts the same: DAPO (arXiv 2503.14476), equation 12
//       = 1 / (n_rollouts max_length)            Dr. GRPO (arXiv 2503.20783), section 3
// and, where r A is what the minimum chose (also where both are equal), 0 elsewhere,
//   dL/dl = -w_i r A_i + w_i kl_coef (1 - exp(f - l))
// for both kinds of ratio: a sequence's ratio has 1 / |o_i| of each of its tokens' gradients and stands |o_i| times in the sum.
// Clip-higher is DAPO's, section 3.1; clip_low and clip_high are equal in the other papers.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"

namespace minke {

enum class RatioOf { kToken, kSequence };
enum class Reduction { kRolloutMean, kTokenMean, kConstant };

struct PolicyLossOptions {
  RatioOf ratio = RatioOf::kToken;
  Reduction reduction = Reduction::kTokenMean;
  double clip_low = 0.2, clip_high = 0.2;  // how far a ratio may fall and rise
  double kl_coef = 0;      // of k3, the distance to the reference; 0: there is none
  int64_t max_length = 0;  // of Reduction::kConstant, in tokens: the same for the whole run
};

// What the reductions divide by: of the whole batch, so that the losses of its micro-batches add up.
struct BatchCounts {
  int64_t n_rollouts = 0, n_tokens = 0;  // tokens: those that the policy sampled
};

// Rollouts one after the other, of their tokens only those that the policy sampled. The log-probs are those of the
// distribution that was sampled from (its temperature included) and the behavior's stay as they were at sampling for all
// steps that use the rollouts.
struct PolicyTokens {
  std::span<const int64_t> lengths;          // [n_rollouts], of tokens; 0: the rollout has none here
  std::span<const double> advantages;        // [n_rollouts]
  std::span<const float> logprobs;           // [n_tokens] l
  std::span<const float> behavior_logprobs;  // [n_tokens] b
  std::span<const float> ref_logprobs;       // [n_tokens] f; not read, and may be empty, where kl_coef is 0
  std::span<const float> entropies;          // [n_tokens] of the policy, in nats, for the statistics
};

// Sums, so that those of micro-batches add up.
struct PolicyStats {
  int64_t n_tokens = 0;
  int64_t n_ratios = 0;                           // tokens, or the rollouts that have some
  int64_t n_clipped_low = 0, n_clipped_high = 0;  // ratios without a gradient: below 1 - clip_low, above 1 + clip_high
  double ratios = 0;
  double ref_kl = 0;       // k3 of KL(policy || reference); 0 without a reference
  double behavior_kl = 0;  // exp(l - b) - (l - b) - 1, of KL(behavior || policy): 0 in the first step on fresh rollouts
  double entropy = 0;

  void add(const PolicyStats& other);
  double mean_ratio() const { return n_ratios == 0 ? 1 : ratios / static_cast<double>(n_ratios); }
  double clipped_low() const { return n_ratios == 0 ? 0 : static_cast<double>(n_clipped_low) / static_cast<double>(n_ratios); }
  double clipped_high() const {
    return n_ratios == 0 ? 0 : static_cast<double>(n_clipped_high) / static_cast<double>(n_ratios);
  }
  double mean_ref_kl() const { return n_tokens == 0 ? 0 : ref_kl / static_cast<double>(n_tokens); }
  double mean_behavior_kl() const { return n_tokens == 0 ? 0 : behavior_kl / static_cast<double>(n_tokens); }
  double mean_entropy() const { return n_tokens == 0 ? 0 : entropy / static_cast<double>(n_tokens); }
};

struct PolicyLoss {
  double loss = 0;  // L, the reference's part included
  PolicyStats stats;
};

constexpr double kMaxLogRatio = 60;  // e^60 = 1e26: times any advantage still an f32

// d_logprobs [n_tokens] = dL/dl. Sizes and options that do not fit are the caller's mistake (CHECK). Log-probs that are not
// finite, and l - b or f - l above kMaxLogRatio, with which a step would ruin the model, are errors that name the token.
Result<PolicyLoss> policy_loss(std::span<float> d_logprobs, const PolicyTokens& tokens, const BatchCounts& batch,
                               const PolicyLossOptions& options);

}  // namespace minke
