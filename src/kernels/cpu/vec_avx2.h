// Vectors of 8 floats for the bodies in this folder. Included by kernels_avx2.cpp only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

using Vec = __m256;
constexpr int kLanes = 8;
// Register tiles, of 16 registers: 3 x 4 accumulators, 3 of x, 1 of w.
constexpr int kDotTileRows = 3;
constexpr int kAxpyTileRows = 3;
constexpr int kGemmRows = 3;
constexpr int kFewVecs = 8;  // accumulators of a tile of few rows

alignas(64) constexpr int32_t kLaneMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

inline __m256i first_lanes(int64_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kLaneMasks + 8 - n)); }

inline Vec zero() { return _mm256_setzero_ps(); }
inline Vec broadcast(float value) { return _mm256_set1_ps(value); }
inline Vec load(const float* p) { return _mm256_loadu_ps(p); }
inline Vec select_first(int64_t n, Vec first, Vec rest) {
  return _mm256_blendv_ps(rest, first, _mm256_castsi256_ps(first_lanes(n)));
}
// The first n < 8 lanes from memory, which is not touched beyond them; the others from `rest`.
inline Vec load_first(const float* p, int64_t n, Vec rest) {
  return select_first(n, _mm256_maskload_ps(p, first_lanes(n)), rest);
}
inline void store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline void store_first(float* p, int64_t n, Vec v) { _mm256_maskstore_ps(p, first_lanes(n), v); }

inline Vec add(Vec a, Vec b) { return _mm256_add_ps(a, b); }
inline Vec subtract(Vec a, Vec b) { return _mm256_sub_ps(a, b); }
inline Vec multiply(Vec a, Vec b) { return _mm256_mul_ps(a, b); }
inline Vec divide(Vec a, Vec b) { return _mm256_div_ps(a, b); }
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
// Where either is NaN: b.
inline Vec maximum(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec minimum(Vec a, Vec b) { return _mm256_min_ps(a, b); }

inline Vec round_to_integer(Vec v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Vec power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
// v * 2^n for integers n. In two steps, as 2^n itself may be out of range; only the second can round.
inline Vec times_power_of_two(Vec v, Vec n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i part = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(v, power_of_two(part)), power_of_two(_mm256_sub_epi32(whole, part)));
}

// Lane l is added to lane l + 4, and then fold4 below: the fixed order of every sum over lanes.
inline __m128 fold_to_4(Vec v) { return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)); }

inline float lane_maximum(Vec v) {
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// Lane l of vector r and lane r of vector l change places.
inline void transpose_lanes(Vec (&v)[kLanes]) {
  Vec pairs[kLanes], quads[kLanes];
#pragma GCC unroll 4
  for (int r = 0; r < 8; r += 2) {
    pairs[r] = _mm256_unpacklo_ps(v[r], v[r + 1]);
    pairs[r + 1] = _mm256_unpackhi_ps(v[r], v[r + 1]);
  }
#pragma GCC unroll 2
  for (int r = 0; r < 8; r += 4) {  // quads[r + q]: columns q and 4 + q of rows r .. r + 3
    quads[r] = _mm256_shuffle_ps(pairs[r], pairs[r + 2], 0x44);
    quads[r + 1] = _mm256_shuffle_ps(pairs[r], pairs[r + 2], 0xEE);
    quads[r + 2] = _mm256_shuffle_ps(pairs[r + 1], pairs[r + 3], 0x44);
    quads[r + 3] = _mm256_shuffle_ps(pairs[r + 1], pairs[r + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) {
    v[q] = _mm256_permute2f128_ps(quads[q], quads[q + 4], 0x20);
    v[q + 4] = _mm256_permute2f128_ps(quads[q], quads[q + 4], 0x31);
  }
}

inline __m128i load_first_u16(const uint8_t* p, int64_t n) {
  alignas(16) uint8_t bytes[16] = {};
  __builtin_memcpy(bytes, p, static_cast<size_t>(n) * 2);
  return _mm_load_si128(reinterpret_cast<const __m128i*>(bytes));
}
inline Vec widen_bf16(__m128i bits) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16)); }
// The two bf16 in each word.
inline Vec low_bf16(Vec v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16)); }
inline Vec high_bf16(Vec v) {
  return _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(static_cast<int>(0xFFFF0000u))));
}
inline Vec load_bf16(const uint8_t* p) { return widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
inline Vec load_first_bf16(const uint8_t* p, int64_t n) { return widen_bf16(load_first_u16(p, n)); }
inline Vec load_f16(const uint8_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
inline Vec load_first_f16(const uint8_t* p, int64_t n) { return _mm256_cvtph_ps(load_first_u16(p, n)); }

inline __m128i load_bytes_as_u16(const uint8_t* p) {
  return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline Vec load_f8e5m2(const uint8_t* p) { return _mm256_cvtph_ps(_mm_slli_epi16(load_bytes_as_u16(p), 8)); }
// See decode_f8e4m3: exponent and mantissa go to their places in binary16, the biases differ by 8.
inline Vec load_f8e4m3(const uint8_t* p) {
  const __m128i bytes = load_bytes_as_u16(p);
  const __m128i magnitude = _mm_and_si128(bytes, _mm_set1_epi16(0x7F));
  const __m128i sign = _mm_slli_epi16(_mm_and_si128(bytes, _mm_set1_epi16(0x80)), 8);
  const __m128i is_nan = _mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x7F));
  const __m128i half = _mm_blendv_epi8(_mm_slli_epi16(magnitude, 7), _mm_set1_epi16(0x7E00), is_nan);
  return _mm256_mul_ps(_mm256_cvtph_ps(_mm_or_si128(half, sign)), _mm256_set1_ps(256.0f));
}

}  // namespace
}  // namespace minke
