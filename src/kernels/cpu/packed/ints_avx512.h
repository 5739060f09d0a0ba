// Vectors of 64 bytes for packed_*.h: a line of a panel, four columns of each of 16 rows. Included by the AVX-512 units; the
// one with VNNI has an instruction for the products of bytes.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace minke {
namespace {

using Ints = __m512i;
constexpr int kVectorRows = 16;      // rows of a panel in one vector
constexpr int kTileVectors = 2;      // of rows in a tile of many tokens: two panels
constexpr int kTileTokens = 6;       // 2 x 6 integer and 2 x 6 float accumulators, of 32 registers
constexpr int kPanelVectors = 1;     // vectors that a line of a panel fills
constexpr int kPairTileTokens = 12;  // of bf16: 2 x 12 accumulators
constexpr int kFewPairVectors = 4;   // of rows of bf16 that meet four tokens

inline Ints load_ints(const void* p) { return _mm512_loadu_si512(p); }
inline void store_ints(void* p, Ints v) { _mm512_storeu_si512(p, v); }
inline Ints splat_bytes(int value) { return _mm512_set1_epi8(static_cast<char>(value)); }
inline Ints splat_words(int16_t low, int16_t high) {
  return _mm512_set1_epi32(
      static_cast<int32_t>(static_cast<uint16_t>(low) | static_cast<uint32_t>(static_cast<uint16_t>(high)) << 16));
}
inline Ints splat_ints(int32_t value) { return _mm512_set1_epi32(value); }
inline Ints bits_and(Ints a, Ints b) { return _mm512_and_si512(a, b); }
inline Ints bits_or(Ints a, Ints b) { return _mm512_or_si512(a, b); }
inline Ints bits_xor(Ints a, Ints b) { return _mm512_xor_si512(a, b); }
template <int kBits>
inline Ints shift_words_right(Ints v) {
  return _mm512_srli_epi16(v, kBits);
}
template <int kBits>
inline Ints shift_words_left(Ints v) {
  return _mm512_slli_epi16(v, kBits);
}
template <int kBits>
inline Ints shift_ints_right(Ints v) {
  return _mm512_srli_epi32(v, kBits);
}
template <int kBits>
inline Ints shift_ints_left(Ints v) {
  return _mm512_slli_epi32(v, kBits);
}
// Byte kByte of every 32-bit lane, with its sign.
template <int kByte>
inline Ints signed_byte(Ints v) {
  return _mm512_srai_epi32(_mm512_slli_epi32(v, 24 - 8 * kByte), 24);
}
inline Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline Ints subtract_ints(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
// table[low four bits of every byte]
inline Ints lookup(const int8_t* table, Ints indices) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), indices);
}
inline Vec to_float(Ints v) { return _mm512_cvtepi32_ps(v); }
inline Vec floats_of_bits(Ints v) { return _mm512_castsi512_ps(v); }
inline Ints load_u16_as_ints(const uint8_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
// c - a * b, rounded once.
inline Vec subtract_product(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a, b, c); }
inline Ints multiply_word_pairs(Ints a, Ints b) { return _mm512_madd_epi16(a, b); }

// acc + products of four bytes of every lane. The first factor is in [0, 255] with VNNI and otherwise such that two products
// stay below 2^15; the second in [-127, 127].
inline Ints dot_unsigned(Ints acc, Ints codes, Ints x) {
#ifdef __AVX512VNNI__
  return _mm512_dpbusd_epi32(acc, codes, x);
#else
  return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(codes, x), _mm512_set1_epi16(1)));
#endif
}
// The same for signed codes.
inline Ints dot_signed(Ints acc, Ints codes, Ints x) {
  const Ints x_with_sign = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(codes), _mm512_setzero_si512(), x);
  return dot_unsigned(acc, _mm512_abs_epi8(codes), x_with_sign);
}
#ifdef __AVX512VNNI__
constexpr bool kBytesAreUnsigned = true;  // signed codes are used as code + 128
#else
constexpr bool kBytesAreUnsigned = false;
#endif

// The largest |x| of 32 numbers, as bits: infinities and NaN are the largest.
inline uint32_t largest_magnitude_of_32(const float* x) {
  const Ints mask = _mm512_set1_epi32(0x7FFFFFFF);
  return _mm512_reduce_max_epu32(
      _mm512_max_epu32(_mm512_and_si512(load_ints(x), mask), _mm512_and_si512(load_ints(x + 16), mask)));
}
// x * factor, rounded, as bytes, and the sums of each 16; all zeros with is_zero.
inline void code_32(uint8_t* out, int32_t (&sums)[2], const float* x, float factor, bool is_zero) {
  for (int half = 0; half < 2; half++) {
    Ints q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * half), _mm512_set1_ps(factor)));
    if (is_zero) q = _mm512_setzero_si512();
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 16 * half), _mm512_cvtepi32_epi8(q));
    sums[half] = _mm512_reduce_add_epi32(q);
  }
}

}  // namespace
}  // namespace minke
