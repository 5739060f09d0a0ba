// The most that the vectors of vec_*.h and ints_*.h can do: independent chains in registers without memory, and memory without
// work.
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

constexpr int kBytes = sizeof(Ints);

uint32_t lane_sum(Ints v) {
  uint32_t lanes[kBytes / 4], sum = 0;
  store_ints(lanes, v);
  for (uint32_t lane : lanes) sum += lane;
  return sum;
}

// The same for bytes. The sums wrap around, and must be what so many steps give.
int64_t byte_dot_steps(int64_t n_steps) {
  constexpr int kChains = kLanes == 8 ? 8 : 12;  // AVX2 has half the registers, and there only the additions wait
  Ints sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = splat_ints(0);
  const Ints left = splat_bytes(3);
  Ints right = splat_bytes(1);
  for (int64_t step = 0; step < n_steps; step++) {
    for (int i = 0; i < kChains; i++) {
      asm("" : "+x"(right));  // the compiler must not know that the product is always the same
      sums[i] = dot_unsigned(sums[i], left, right);
    }
  }
  Ints total = splat_ints(0);
  for (int i = 0; i < kChains; i++) total = add_ints(total, sums[i]);
  const uint32_t expected = static_cast<uint32_t>(n_steps) * kChains * 3 * kBytes;
  return lane_sum(total) == expected ? 2 * n_steps * kChains * kBytes : 0;
}

template <int kStreams>
uint32_t sum_side_by_side(const uint8_t* data, int64_t stream_bytes) {
  Ints sums[kStreams];
  for (int s = 0; s < kStreams; s++) sums[s] = splat_ints(0);
  for (int64_t at = 0; at < stream_bytes; at += 64) {
    for (int s = 0; s < kStreams; s++) {
      for (int64_t part = 0; part < 64; part += kBytes) {
        sums[s] = add_ints(sums[s], load_ints(data + s * stream_bytes + at + part));
      }
    }
  }
  Ints total = splat_ints(0);
  for (int s = 0; s < kStreams; s++) total = add_ints(total, sums[s]);
  return lane_sum(total);
}

// stream_bytes is a multiple of 64; n_streams is 1, 4 or 16.
uint32_t sum_streams(const uint8_t* data, int64_t stream_bytes, int64_t n_streams) {
  if (n_streams == 16) return sum_side_by_side<16>(data, stream_bytes);
  if (n_streams == 4) return sum_side_by_side<4>(data, stream_bytes);
  return sum_side_by_side<1>(data, stream_bytes);
}

}  // namespace
}  // namespace minke
