// What attention needs of vectors of 32 bytes besides vec_avx2.h and packed/ints_avx2.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

// Register tiles over kQ8 lines of two vectors each, of 16 registers.
constexpr int kScoreRows = 3;
constexpr int kScoreLines = 1;
constexpr int kMixRows = 2;
constexpr int kMixLines = 2;

inline void add_dot_unsigned(Ints& acc, Ints codes, Ints x) { acc = dot_unsigned(acc, codes, x); }

inline float first_lane(Vec v) { return _mm256_cvtss_f32(v); }

// Integers 0 .. 255 in floats, as bytes.
inline void store_as_bytes(uint8_t* out, Vec v) {
  const __m256i ints = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(words, words));
}
inline void store_as_f16(uint8_t* out, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_as_bf16(uint8_t* out, Vec v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                   _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1)));
}
inline Vec magnitude(Vec v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
// 16 bytes as floats.
inline void load_bytes_as_floats(Vec (&out)[2], __m128i bytes) {
  out[0] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
  out[1] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
}

// The 4 x 4 bytes of every 128-bit lane.
inline Ints transpose_4x4(Ints v) {
  return _mm256_shuffle_epi8(v,
                             _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)));
}
// Four words of 4 bytes, each filling a 128-bit lane.
inline void repeat_words(uint8_t* out, const uint8_t* words) {
  const __m256i four = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words)));
  const __m256i first = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i second = _mm256_add_epi32(first, _mm256_set1_epi32(2));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_permutevar8x32_epi32(four, first));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + 32), _mm256_permutevar8x32_epi32(four, second));
}
// The sums of the 128-bit lanes of four vectors, side by side.
inline void add_lanes(Ints (&out)[2], const Ints (&v)[4]) {
  for (int i = 0; i < 2; i++) {
    out[i] = _mm256_add_epi32(_mm256_permute2x128_si256(v[2 * i], v[2 * i + 1], 0x20),
                              _mm256_permute2x128_si256(v[2 * i], v[2 * i + 1], 0x31));
  }
}

}  // namespace
}  // namespace minke
