// The most that the vectors of vec_*.h can do: independent chains in registers without memory, and memory without work.
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

// The same for bytes. The sums wrap around, and must be what so many steps give.
int64_t byte_dot_steps(int64_t n_steps) {
  constexpr int kChains = kLanes == 8 ? 8 : 12;  // AVX2 has half the registers, and there only the additions wait
  IntVec sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = zero_int();
  const IntVec left = broadcast_byte(3);
  IntVec right = broadcast_byte(1);
  for (int64_t step = 0; step < n_steps; step++) {
    for (int i = 0; i < kChains; i++) {
      asm("" : "+x"(right));  // the compiler must not know that the product is always the same
      sums[i] = add_byte_dot(sums[i], left, right);
    }
  }
  IntVec total = zero_int();
  for (int i = 0; i < kChains; i++) total = add_int32(total, sums[i]);
  const uint32_t expected = static_cast<uint32_t>(n_steps) * kChains * 3 * kBytes;
  return lane_sum_int32(total) == expected ? 2 * n_steps * kChains * kBytes : 0;
}

template <int kStreams>
uint32_t sum_side_by_side(const uint8_t* data, int64_t stream_bytes) {
  IntVec sums[kStreams];
  for (int s = 0; s < kStreams; s++) sums[s] = zero_int();
  for (int64_t at = 0; at < stream_bytes; at += 64) {
    for (int s = 0; s < kStreams; s++) {
      for (int64_t part = 0; part < 64; part += kBytes) {
        sums[s] = add_int32(sums[s], load_int(data + s * stream_bytes + at + part));
      }
    }
  }
  IntVec total = zero_int();
  for (int s = 0; s < kStreams; s++) total = add_int32(total, sums[s]);
  return lane_sum_int32(total);
}

// stream_bytes is a multiple of 64; n_streams is 1, 4 or 16.
uint32_t sum_streams(const uint8_t* data, int64_t stream_bytes, int64_t n_streams) {
  if (n_streams == 16) return sum_side_by_side<16>(data, stream_bytes);
  if (n_streams == 4) return sum_side_by_side<4>(data, stream_bytes);
  return sum_side_by_side<1>(data, stream_bytes);
}

}  // namespace
}  // namespace minke
