// Rows of floats of any width as vectors of vec_*.h, and sums over lanes.
#pragma once

#include <cstdint>

namespace minke {
namespace {

struct F32Row {
  static void prefetch_at(const uint8_t* row, int64_t c) { __builtin_prefetch(row + 4 * c); }
  static Vec load_at(const uint8_t* row, int64_t c) { return load(reinterpret_cast<const float*>(row) + c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) {
    return load_first(reinterpret_cast<const float*>(row) + c, n, zero());
  }
};

struct F16Row {
  static void prefetch_at(const uint8_t* row, int64_t c) { __builtin_prefetch(row + 2 * c); }
  static Vec load_at(const uint8_t* row, int64_t c) { return load_f16(row + 2 * c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) { return load_first_f16(row + 2 * c, n); }
};

struct Bf16Row {
  static void prefetch_at(const uint8_t* row, int64_t c) { __builtin_prefetch(row + 2 * c); }
  static Vec load_at(const uint8_t* row, int64_t c) { return load_bf16(row + 2 * c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) { return load_first_bf16(row + 2 * c, n); }
};

// Sums of the lanes of four vectors; each sum is (l0 + l1) + (l2 + l3) of what fold_to_4 leaves.
inline __m128 lane_sums(Vec a, Vec b, Vec c, Vec d) {
  return _mm_hadd_ps(_mm_hadd_ps(fold_to_4(a), fold_to_4(b)), _mm_hadd_ps(fold_to_4(c), fold_to_4(d)));
}
inline float lane_sum(Vec v) { return _mm_cvtss_f32(lane_sums(v, v, v, v)); }

// out[r, 0..4) = the sums of four vectors each.
template <int kRows>
inline void write_sums(float* out, int64_t out_stride, const Vec (&sums)[kRows][4]) {
  for (int r = 0; r < kRows; r++) {
    _mm_storeu_ps(out + r * out_stride, lane_sums(sums[r][0], sums[r][1], sums[r][2], sums[r][3]));
  }
}

}  // namespace
}  // namespace minke
