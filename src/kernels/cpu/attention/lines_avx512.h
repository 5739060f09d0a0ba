// What attention needs of vectors of 64 bytes besides vec_avx512.h and packed/ints_avx512.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

// Register tiles over kQ8 lines, of 32 registers.
constexpr int kScoreRows = 6;   // x 4 lines: 24 accumulators
constexpr int kScoreLines = 4;  // a page
constexpr int kMixRows = 6;
constexpr int kMixLines = 4;

// dot_unsigned, in place. As an intrinsic gcc 12 copies the sum to another register before and after each of a tile's products
// and runs out of registers; a constraint ties it to one.
inline void add_dot_unsigned(Ints& acc, Ints codes, Ints x) {
#ifdef __AVX512VNNI__
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(x));
#else
  acc = dot_unsigned(acc, codes, x);
#endif
}

inline float first_lane(Vec v) { return _mm512_cvtss_f32(v); }

// Integers 0 .. 255 in floats, as bytes.
inline void store_as_bytes(uint8_t* out, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}
inline void store_as_f16(uint8_t* out, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline void store_as_bf16(uint8_t* out, Vec v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __m512i chosen = _mm512_mask_blend_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), rounded, quiet);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16)));
}
inline Vec magnitude(Vec v) { return _mm512_abs_ps(v); }
// 16 bytes as floats.
inline void load_bytes_as_floats(Vec (&out)[1], __m128i bytes) { out[0] = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)); }

// The 4 x 4 bytes of every 128-bit lane.
inline Ints transpose_4x4(Ints v) {
  return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)));
}
// Four words of 4 bytes, each filling a 128-bit lane.
inline void repeat_words(uint8_t* out, const uint8_t* words) {
  const __m512i four = _mm512_castsi128_si512(_mm_loadu_si128(reinterpret_cast<const __m128i*>(words)));
  const __m512i order = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi32(order, four));
}
// The sums of the 128-bit lanes of four vectors, side by side.
inline void add_lanes(Ints (&out)[1], const Ints (&v)[4]) {
  const __m512i v01 = _mm512_add_epi32(_mm512_shuffle_i32x4(v[0], v[1], 0x44), _mm512_shuffle_i32x4(v[0], v[1], 0xEE));
  const __m512i v23 = _mm512_add_epi32(_mm512_shuffle_i32x4(v[2], v[3], 0x44), _mm512_shuffle_i32x4(v[2], v[3], 0xEE));
  out[0] = _mm512_add_epi32(_mm512_shuffle_i32x4(v01, v23, 0x88), _mm512_shuffle_i32x4(v01, v23, 0xDD));
}

}  // namespace
}  // namespace minke
