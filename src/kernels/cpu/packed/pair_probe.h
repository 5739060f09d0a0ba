// The most that the unit for products of bf16 can do; see probe_body.h.
#pragma once

#include <cstdint>

namespace minke {
namespace {

// Every step adds 1 * 1 and -1 * 1 to each chain, so the chains must end as they began. Returns the operations done.
int64_t pair_dot_steps(int64_t n_steps) {
  constexpr int kChains = 16;
  Vec sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = broadcast(static_cast<float>(i));
  const Ints left = splat_words(0x3F80, static_cast<int16_t>(0xBF80));
  Ints right = splat_words(0x3F80, 0x3F80);
  for (int64_t step = 0; step < n_steps; step++) {
    for (int i = 0; i < kChains; i++) {
      asm("" : "+x"(right));  // the compiler must not know that the product is always the same
      sums[i] = dot_pairs(sums[i], pairs(left), pairs(right));
    }
  }
  Vec total = zero();
  for (int i = 0; i < kChains; i++) total = add(total, sums[i]);
  float lanes[kLanes];
  store(lanes, total);
  for (float lane : lanes) {
    if (lane != kChains * (kChains - 1) / 2) return 0;
  }
  return 2 * n_steps * kChains * 2 * kLanes;
}

}  // namespace
}  // namespace minke
