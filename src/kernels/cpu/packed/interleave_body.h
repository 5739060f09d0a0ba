// 32-bit words of 16 rows side by side: transposes of 8 x 8 words, which AVX2 has the instructions for. Panels are written past
// the caches: they are far larger, and are read again only when all are there. The caller fences.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace minke {
namespace {

// Words 0 .. 7 of 8 rows; line w of out gets word w of each.
inline void transpose_8x8(uint8_t* out, const uint8_t* rows, size_t row_bytes) {
  __m256i r[8];
  for (int i = 0; i < 8; i++) {
    r[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + static_cast<size_t>(i) * row_bytes));
  }
  __m256i pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    fours[i] = _mm256_unpacklo_epi64(pairs[i], pairs[i + 2]);
    fours[i + 1] = _mm256_unpackhi_epi64(pairs[i], pairs[i + 2]);
    fours[i + 2] = _mm256_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    fours[i + 3] = _mm256_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out + 64 * i), _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x20));
    _mm256_stream_si256(reinterpret_cast<__m256i*>(out + 64 * (i + 4)),
                        _mm256_permute2x128_si256(fours[i], fours[i + 4], 0x31));
  }
}

inline void interleave_words(uint8_t* out, const uint8_t* rows, size_t row_bytes, int n_words) {
  int w = 0;
  for (; w + 8 <= n_words; w += 8) {
    transpose_8x8(out + 64 * w, rows + 4 * w, row_bytes);
    transpose_8x8(out + 64 * w + 32, rows + 4 * w + 8 * row_bytes, row_bytes);
  }
  for (; w < n_words; w++) {
    for (size_t r = 0; r < 16; r++) std::memcpy(out + 64 * w + 4 * r, rows + r * row_bytes + 4 * w, 4);
  }
}

}  // namespace
}  // namespace minke
