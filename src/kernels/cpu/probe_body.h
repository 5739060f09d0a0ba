// The most multiply-adds that the vectors of vec_*.h can do: independent chains in registers, no memory.
#pragma once

#include <cstdint>

namespace minke {
namespace {

// Enough chains to cover the latency (4 to 5 cycles, 2 per cycle) on every known core. Returns the operations done.
int64_t multiply_add_steps(int64_t n_steps) {
  constexpr int kChains = 12;
  Vec sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = broadcast(static_cast<float>(i));
  const Vec factor = broadcast(0.5f), term = broadcast(1.0f);
  for (int64_t step = 0; step < n_steps; step++) {
    for (int i = 0; i < kChains; i++) sums[i] = multiply_add(sums[i], factor, term);
  }
  Vec total = zero();
  for (int i = 0; i < kChains; i++) total = add(total, sums[i]);
  // The chains converge to 2; a total of anything else would mean that they were not run.
  return lane_sum(total) > 0 ? 2 * n_steps * kChains * kLanes : 0;
}

}  // namespace
}  // namespace minke
