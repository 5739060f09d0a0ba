#include "eval/statistics.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace minke {

Interval wilson_interval(double n_right, double n, double z) {
  CHECK(n > 0 && n_right >= 0 && n_right <= n, "{} of {}", n_right, n);
  const double p = n_right / n, z2 = z * z;
  const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

double pass_at_k(int64_t n, int64_t c, int64_t k) {
  CHECK(k >= 1 && k <= n && c >= 0 && c <= n, "n {}, c {}, k {}", n, c, k);
  double none = 1;  // C(n - c, k) / C(n, k), factor by factor
  for (int64_t i = 0; i < k; i++) none *= std::max(0.0, static_cast<double>(n - c - i)) / static_cast<double>(n - i);
  return 1 - none;
}

double mcnemar_p(int64_t n_first, int64_t n_second) {
  const int64_t n = n_first + n_second, least = std::min(n_first, n_second);
  if (n == 0) return 1;
  const double half_to_n = static_cast<double>(n) * std::log(0.5);
  double tail = 0;
  for (int64_t i = 0; i <= least; i++) {
    const auto at = static_cast<double>(i), all = static_cast<double>(n);
    tail += std::exp(std::lgamma(all + 1) - std::lgamma(at + 1) - std::lgamma(all - at + 1) + half_to_n);
  }
  return std::min(1.0, 2 * tail);
}

}  // namespace minke
