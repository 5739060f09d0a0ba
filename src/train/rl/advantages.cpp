#include "train/rl/advantages.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace minke {
namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Of a sample: the sum of squares by n - 1.
double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double center = mean(values);
  double sum = 0;
  for (double value : values) sum += (value - center) * (value - center);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

}  // namespace

std::vector<double> group_advantages(std::span<const double> rewards, int64_t group_size, const AdvantageOptions& options) {
  const size_t size = static_cast<size_t>(group_size);
  CHECK(group_size > 0 && rewards.size() % size == 0, "{} rewards in groups of {}", rewards.size(), group_size);
  CHECK(options.epsilon >= 0, "epsilon {}", options.epsilon);
  for (size_t i = 0; i < rewards.size(); i++) CHECK(std::isfinite(rewards[i]), "reward {} is {}", i, rewards[i]);

  std::vector<double> advantages(rewards.size());
  const double batch_std = options.scale == AdvantageScale::kBatchStd ? standard_deviation(rewards) : 0;
  for (size_t first = 0; first < rewards.size(); first += size) {
    const std::span<const double> group = rewards.subspan(first, size);
    if (!has_better_and_worse(group)) continue;  // not left to the rounding of the mean, which epsilon would magnify
    double divisor = 1;
    if (options.scale == AdvantageScale::kGroupStd) divisor = standard_deviation(group) + options.epsilon;
    if (options.scale == AdvantageScale::kBatchStd) divisor = batch_std + options.epsilon;
    const double center = mean(group);
    for (size_t i = 0; i < size; i++) advantages[first + i] = (group[i] - center) / divisor;
  }
  return advantages;
}

bool has_better_and_worse(std::span<const double> accuracies) {
  const auto [least, most] = std::minmax_element(accuracies.begin(), accuracies.end());
  return least != accuracies.end() && *least < *most;
}

}  // namespace minke
