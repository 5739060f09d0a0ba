// Which steps are not taken: those with a loss or a gradient that is not finite, and those whose gradient is far larger than
// usual, which come from bad data or from numbers that went out of range, and would spoil the moments for a hundred steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace minke {

struct SpikeGuardOptions {
  double factor = 0;         // a norm above factor * (median of the last norms) is an outlier; 0: only what is not finite
  int64_t window = 128;      // norms that the median is taken of
  int64_t least_norms = 16;  // below, no norm is an outlier
};

enum class StepVerdict { kTake, kSkipNotFinite, kSkipOutlier };

class SpikeGuard {
 public:
  explicit SpikeGuard(const SpikeGuardOptions& options) : options_(options) {}

  // Judges a step by its loss and the norm of its gradient before clipping. Finite norms are remembered, those of outliers too:
  // when gradients have become larger for good, the median follows after half a window and training goes on.
  StepVerdict judge(double loss, double norm);
  // Of the norms remembered; 0 when there are none.
  double median() const;

  // For checkpoints: the norms, oldest first.
  const std::vector<double>& norms() const { return norms_; }
  void set_norms(std::vector<double> norms) { norms_ = std::move(norms); }

 private:
  SpikeGuardOptions options_;
  std::vector<double> norms_;
};

// One line that says why, for logs; empty for kTake.
std::string spike_reason(StepVerdict verdict, double loss, double norm, double median);

}  // namespace minke
