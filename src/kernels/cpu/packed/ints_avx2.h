// Vectors of 32 bytes for packed_*.h: half a line of a panel, four columns of each of 8 rows. Included by kernels_avx2.cpp.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

using Ints = __m256i;
constexpr int kVectorRows = 8;      // rows of a panel in one vector
constexpr int kTileVectors = 2;     // of rows in a tile of many tokens: one panel
constexpr int kTileTokens = 2;      // 2 x 2 integer and 2 x 2 float accumulators, of 16 registers
constexpr int kPanelVectors = 2;    // vectors that a line of a panel fills
constexpr int kPairTileTokens = 4;  // of bf16: 2 x 4 accumulators
constexpr int kFewPairVectors = 2;  // of rows of bf16 that meet four tokens

inline Ints load_ints(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline void store_ints(void* p, Ints v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
inline Ints splat_bytes(int value) { return _mm256_set1_epi8(static_cast<char>(value)); }
inline Ints splat_words(int16_t low, int16_t high) {
  return _mm256_set1_epi32(
      static_cast<int32_t>(static_cast<uint16_t>(low) | static_cast<uint32_t>(static_cast<uint16_t>(high)) << 16));
}
inline Ints splat_ints(int32_t value) { return _mm256_set1_epi32(value); }
inline Ints bits_and(Ints a, Ints b) { return _mm256_and_si256(a, b); }
inline Ints bits_or(Ints a, Ints b) { return _mm256_or_si256(a, b); }
inline Ints bits_xor(Ints a, Ints b) { return _mm256_xor_si256(a, b); }
template <int kBits>
inline Ints shift_words_right(Ints v) {
  return _mm256_srli_epi16(v, kBits);
}
template <int kBits>
inline Ints shift_words_left(Ints v) {
  return _mm256_slli_epi16(v, kBits);
}
template <int kBits>
inline Ints shift_ints_right(Ints v) {
  return _mm256_srli_epi32(v, kBits);
}
template <int kBits>
inline Ints shift_ints_left(Ints v) {
  return _mm256_slli_epi32(v, kBits);
}
// Byte kByte of every 32-bit lane, with its sign.
template <int kByte>
inline Ints signed_byte(Ints v) {
  return _mm256_srai_epi32(_mm256_slli_epi32(v, 24 - 8 * kByte), 24);
}
inline Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
inline Ints subtract_ints(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
// table[low four bits of every byte]
inline Ints lookup(const int8_t* table, Ints indices) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), indices);
}
inline Vec to_float(Ints v) { return _mm256_cvtepi32_ps(v); }
inline Vec floats_of_bits(Ints v) { return _mm256_castsi256_ps(v); }
inline Ints load_u16_as_ints(const uint8_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// c - a * b, rounded once.
inline Vec subtract_product(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a, b, c); }
inline Ints multiply_word_pairs(Ints a, Ints b) { return _mm256_madd_epi16(a, b); }

// acc + products of four bytes of every lane. The first factor is such that two products stay below 2^15, the second in
// [-127, 127].
inline Ints dot_unsigned(Ints acc, Ints codes, Ints x) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), _mm256_set1_epi16(1)));
}
// The same for signed codes.
inline Ints dot_signed(Ints acc, Ints codes, Ints x) {
  return dot_unsigned(acc, _mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
}
constexpr bool kBytesAreUnsigned = false;  // true: signed codes are used as code + 128

// The largest |x| of 32 numbers, as bits: infinities and NaN are the largest.
inline uint32_t largest_magnitude_of_32(const float* x) {
  const Ints mask = _mm256_set1_epi32(0x7FFFFFFF);
  Ints most = _mm256_and_si256(load_ints(x), mask);
  for (int i = 8; i < 32; i += 8) most = _mm256_max_epu32(most, _mm256_and_si256(load_ints(x + i), mask));
  __m128i m = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4E));
  m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xB1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(m));
}
// x * factor, rounded, as bytes, and the sums of each 16; all zeros with is_zero.
inline void code_32(uint8_t* out, int32_t (&sums)[2], const float* x, float factor, bool is_zero) {
  for (int half = 0; half < 2; half++) {
    Ints q[2];
    for (int i = 0; i < 2; i++) {
      q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16 * half + 8 * i), _mm256_set1_ps(factor)));
      if (is_zero) q[i] = _mm256_setzero_si256();
    }
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(q[0], q[1]), 0xD8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * half), bytes);
    const __m256i both = _mm256_add_epi32(q[0], q[1]);
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
    sums[half] = _mm_cvtsi128_si32(sum);
  }
}

}  // namespace
}  // namespace minke
