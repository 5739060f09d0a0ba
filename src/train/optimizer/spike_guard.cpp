#include "train/optimizer/spike_guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace minke {

double SpikeGuard::median() const {
  if (norms_.empty()) return 0;
  std::vector<double> sorted = norms_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

StepVerdict SpikeGuard::judge(double loss, double norm) {
  if (!std::isfinite(loss) || !std::isfinite(norm)) return StepVerdict::kSkipNotFinite;
  const bool is_judged = options_.factor > 0 && static_cast<int64_t>(norms_.size()) >= options_.least_norms;
  const bool is_outlier = is_judged && norm > options_.factor * median();
  norms_.push_back(norm);
  if (static_cast<int64_t>(norms_.size()) > options_.window) norms_.erase(norms_.begin());
  return is_outlier ? StepVerdict::kSkipOutlier : StepVerdict::kTake;
}

std::string spike_reason(StepVerdict verdict, double loss, double norm, double median) {
  switch (verdict) {
    case StepVerdict::kTake:
      return "";
    case StepVerdict::kSkipNotFinite:
      return fmt::format("step skipped: loss {} and gradient norm {}, expected finite numbers", loss, norm);
    case StepVerdict::kSkipOutlier:
      return fmt::format("step skipped: gradient norm {:.4g}, {:.1f} times the median of {:.4g}", norm, norm / median, median);
  }
  return "";
}

}  // namespace minke
