// Group-relative advantages: how much better a rollout is than the others of the same prompt.
//   A_i = (r_i - mean(group)) / (std + epsilon)     GRPO: DeepSeekMath (arXiv 2402.03300), section 4.1.2
//   A_i =  r_i - mean(group)                        Dr. GRPO: arXiv 2503.20783, section 3
// The papers do not say which standard deviation; it is the sample's (n - 1), as in the public implementations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace minke {

enum class AdvantageScale {
  kGroupStd,  // GRPO: std of the rewards of the group
  kBatchStd,  // std of all rewards of the batch: an easy prompt's small differences are not blown up
  kNone,      // Dr. GRPO
};

struct AdvantageOptions {
  AdvantageScale scale = AdvantageScale::kGroupStd;
  double epsilon = 1e-4;  // added to the standard deviation
};

// rewards [n_groups, group_size], finite; one advantage for each, the same for all tokens of the rollout. A group whose rewards
// are all equal, and so a group of one, has advantages of exactly 0: there is nothing to compare with.
std::vector<double> group_advantages(std::span<const double> rewards, int64_t group_size, const AdvantageOptions& options);

// Dynamic sampling (DAPO: arXiv 2503.14476, section 3.2): groups that are all right or all wrong teach nothing and are sampled
// again. accuracies [group_size], 0 wrong to 1 right. True where some of the group is better than the rest.
bool has_better_and_worse(std::span<const double> accuracies);

}  // namespace minke
