// Internal to kernels: what the drivers of the three products share. A unit of work is a part of one output, and has all of its
// additions: threads never share an output.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/matmul.h"

namespace minke {

static_assert(kGemmDepth == kSumBlock);

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};

// Part `index` of n_parts nearly equal ones of [0, n).
inline Range part_of(int64_t n, int64_t index, int64_t n_parts) { return {n * index / n_parts, n * (index + 1) / n_parts}; }

inline int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline const float* row_at(ConstRows x, const int32_t* rows, int64_t t) {
  return x.data + (rows == nullptr ? t : int64_t{rows[t]}) * x.stride;
}

// TileSums of the block of terms that starts at `first`.
inline TileSums sums_of_block(int64_t first, Accumulate accumulate) {
  return first == 0 && accumulate == Accumulate::kOverwrite ? TileSums::kStore : TileSums::kAdd;
}

inline void fill_zero(Rows out, int64_t n_rows, int64_t n_cols) {
  for (int64_t i = 0; i < n_rows; i++) std::fill_n(out.data + i * out.stride, n_cols, 0.0f);
}

// run(job, first_unit, end_unit) over the units of all jobs, n_units(job) of each, spread over the threads.
template <typename Job, typename Units, typename Run>
void for_units(std::span<const Job> jobs, const Context& context, Units n_units, Run run) {
  int64_t total = 0;
  for (const Job& job : jobs) total += n_units(job);
  context.parallel_for(total, 1, [&](int64_t begin, int64_t end) {
    int64_t start = 0;
    for (const Job& job : jobs) {
      const int64_t n = n_units(job);
      const int64_t first = std::max(begin - start, int64_t{0}), last = std::min(end - start, n);
      start += n;
      if (first < last) run(job, first, last);
      if (start >= end) return;
    }
  });
}

}  // namespace minke
