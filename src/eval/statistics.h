// What counts of right answers say about a model.
#pragma once

#include <cstdint>

namespace minke {

struct Interval {
  double low = 0, high = 1;
};

// Wilson's score interval of a share (E. B. Wilson, 1927) at z standard deviations: 1.96 for 95 %. n > 0.
Interval wilson_interval(double n_right, double n, double z = 1.959963984540054);

// The chance that at least one of k answers is right, estimated without bias from n answers of which c are right:
// 1 - C(n - c, k) / C(n, k) (Chen et al., arXiv 2107.03374, section 2.1). 1 <= k <= n.
double pass_at_k(int64_t n, int64_t c, int64_t k);

// McNemar's exact test, two-sided: the chance of a split at least as uneven as this, where two models are equally good, of the
// problems that only the first (n_first) and only the second (n_second) got right.
double mcnemar_p(int64_t n_first, int64_t n_second);

}  // namespace minke
