// Vectors of 16 floats for the bodies in this folder. Included by kernels_avx512*.cpp only.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

using Vec = __m512;
constexpr int kLanes = 16;
// Register tiles, of 32 registers: 6 x 4 accumulators, 6 of x, 1 of w.
constexpr int kDotTileRows = 6;
constexpr int kAxpyTileRows = 6;
constexpr int kGemmRows = 12;
constexpr int kFewVecs = 16;  // accumulators of a tile of few rows

inline __mmask16 first_lanes(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }

inline Vec zero() { return _mm512_setzero_ps(); }
inline Vec broadcast(float value) { return _mm512_set1_ps(value); }
inline Vec load(const float* p) { return _mm512_loadu_ps(p); }
// The first n < 16 lanes from memory, which is not touched beyond them; the others from `rest`.
inline Vec load_first(const float* p, int64_t n, Vec rest) { return _mm512_mask_loadu_ps(rest, first_lanes(n), p); }
inline void store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline void store_first(float* p, int64_t n, Vec v) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }

inline Vec add(Vec a, Vec b) { return _mm512_add_ps(a, b); }
inline Vec subtract(Vec a, Vec b) { return _mm512_sub_ps(a, b); }
inline Vec multiply(Vec a, Vec b) { return _mm512_mul_ps(a, b); }
inline Vec divide(Vec a, Vec b) { return _mm512_div_ps(a, b); }
inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
// Where either is NaN: b.
inline Vec maximum(Vec a, Vec b) { return _mm512_max_ps(a, b); }
inline Vec minimum(Vec a, Vec b) { return _mm512_min_ps(a, b); }
inline Vec select_first(int64_t n, Vec first, Vec rest) { return _mm512_mask_blend_ps(first_lanes(n), rest, first); }

inline Vec round_to_integer(Vec v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
// v * 2^n for integers n, rounded once.
inline Vec times_power_of_two(Vec v, Vec n) { return _mm512_scalef_ps(v, n); }

// Lane l is added to lane l + 8, then + 4, and then fold4 below: the fixed order of every sum over lanes.
inline __m128 fold_to_4(Vec v) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

inline float lane_maximum(Vec v) { return _mm512_reduce_max_ps(v); }

// Lane l of vector r and lane r of vector l change places.
inline void transpose_lanes(Vec (&v)[kLanes]) {
  Vec pairs[kLanes], quads[kLanes];
#pragma GCC unroll 8
  for (int r = 0; r < 16; r += 2) {
    pairs[r] = _mm512_unpacklo_ps(v[r], v[r + 1]);
    pairs[r + 1] = _mm512_unpackhi_ps(v[r], v[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 16; r += 4) {  // quads[r + q]: columns q, 4 + q, 8 + q, 12 + q of rows r .. r + 3
    quads[r] = _mm512_shuffle_ps(pairs[r], pairs[r + 2], 0x44);
    quads[r + 1] = _mm512_shuffle_ps(pairs[r], pairs[r + 2], 0xEE);
    quads[r + 2] = _mm512_shuffle_ps(pairs[r + 1], pairs[r + 3], 0x44);
    quads[r + 3] = _mm512_shuffle_ps(pairs[r + 1], pairs[r + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int q = 0; q < 4; q++) {
    const Vec even_low = _mm512_shuffle_f32x4(quads[q], quads[q + 4], 0x88);
    const Vec even_high = _mm512_shuffle_f32x4(quads[q + 8], quads[q + 12], 0x88);
    const Vec odd_low = _mm512_shuffle_f32x4(quads[q], quads[q + 4], 0xDD);
    const Vec odd_high = _mm512_shuffle_f32x4(quads[q + 8], quads[q + 12], 0xDD);
    v[q] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
    v[q + 8] = _mm512_shuffle_f32x4(even_low, even_high, 0xDD);
    v[q + 4] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
    v[q + 12] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xDD);
  }
}

// The two bf16 in each word.
inline Vec low_bf16(Vec v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16)); }
inline Vec high_bf16(Vec v) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(static_cast<int>(0xFFFF0000u))));
}
inline Vec load_bf16(const uint8_t* p) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline Vec load_first_bf16(const uint8_t* p, int64_t n) {
  const __m256i bits = _mm256_maskz_loadu_epi16(first_lanes(n), p);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline Vec load_f16(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
inline Vec load_first_f16(const uint8_t* p, int64_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p)); }

inline __m256i load_bytes_as_u16(const uint8_t* p) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Vec load_f8e5m2(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_slli_epi16(load_bytes_as_u16(p), 8)); }
// See decode_f8e4m3: exponent and mantissa go to their places in binary16, the biases differ by 8.
inline Vec load_f8e4m3(const uint8_t* p) {
  const __m256i bytes = load_bytes_as_u16(p);
  const __m256i magnitude = _mm256_and_si256(bytes, _mm256_set1_epi16(0x7F));
  const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(bytes, _mm256_set1_epi16(0x80)), 8);
  const __mmask16 is_nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7F));
  const __m256i half = _mm256_mask_mov_epi16(_mm256_slli_epi16(magnitude, 7), is_nan, _mm256_set1_epi16(0x7E00));
  return _mm512_mul_ps(_mm512_cvtph_ps(_mm256_or_si256(half, sign)), _mm512_set1_ps(256.0f));
}

}  // namespace
}  // namespace minke
