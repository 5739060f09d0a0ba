// Products of activations coded as bf16 with panels of bf16: a line holds two columns of each of 16 rows. An output is
//   for each pair of columns (c, c + 1):   out = round(out + x[c + 1] * w[c + 1]);   out = round(out + x[c] * w[c])
// from zero on: the order of the instruction vdpbf16ps, and without it the same by two multiply-adds of f32. One chain for each
// output, so an output has the same bits in every tile and on every instruction set, but for one thing: vdpbf16ps takes numbers
// below 2^-126 as zero and makes zero of such sums.
//
// Few tokens (decoding): whole rows go by once, as many at a time as hide the latency of the chains. Many tokens: a tile of
// rows stays in L1 for some columns and meets all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"

namespace minke {
namespace {

#ifdef __AVX512BF16__
using Pairs = __m512bh;
inline Pairs pairs(Ints v) { return reinterpret_cast<Pairs>(v); }
inline Vec dot_pairs(Vec acc, Pairs a, Pairs b) { return _mm512_dpbf16_ps(acc, a, b); }
#else
struct Pairs {
  Vec second, first;
};
inline Pairs pairs(Ints v) {
  return {floats_of_bits(bits_and(v, splat_ints(static_cast<int32_t>(0xFFFF0000)))), floats_of_bits(shift_ints_left<16>(v))};
}
inline Vec dot_pairs(Vec acc, Pairs a, Pairs b) {
  return multiply_add(a.first, b.first, multiply_add(a.second, b.second, acc));
}
#endif

constexpr int64_t kPairColumns = 256;  // that a tile of rows stays in L1 for: 16 KB of two panels
constexpr int64_t kPairPrefetchBytes = 2048;

// kVectors vectors of rows from first_row on times kTokens tokens, columns [first_col, first_col + n_cols). Of what lies past
// the last row or token, the first is computed again and not written.
template <int kVectors, int kTokens>
inline void multiply_pairs(const PackedArguments& a, int64_t first_token, int64_t first_row, int64_t first_col, int64_t n_cols,
                           int64_t n_tokens, bool prefetches) {
  const uint8_t *x[kTokens], *w[kVectors];
  Vec acc[kVectors][kTokens];
  for (int v = 0; v < kVectors; v++) {
    const int64_t row = first_row + v * kVectorRows < a.n_rows ? first_row + v * kVectorRows : first_row;
    w[v] = a.panels + row / 16 * a.panel_bytes + row % 16 * 4 + first_col / 2 * 64;
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; t++) {
    const int64_t token = first_token + std::min<int64_t>(t, n_tokens - 1);
    x[t] = a.x + (a.token_rows == nullptr ? token : a.token_rows[token]) * a.x_stride + first_col * 2;
    for (int v = 0; v < kVectors; v++) {
      const int64_t row = first_row + v * kVectorRows, n = a.n_rows - row;
      const float* from = a.out + token * a.out_stride + row;
      acc[v][t] = first_col == 0 || n <= 0 ? zero() : n >= kVectorRows ? load(from) : load_first(from, n, zero());
    }
  }
  for (int64_t line = 0; line < n_cols / 2; line++) {
    Pairs codes[kVectors];
    for (int v = 0; v < kVectors; v++) {
      if (prefetches) __builtin_prefetch(w[v] + 64 * line + kPairPrefetchBytes);
      codes[v] = pairs(load_ints(w[v] + 64 * line));
    }
#pragma GCC unroll 16
    for (int t = 0; t < kTokens; t++) {
      int32_t two;
      std::memcpy(&two, x[t] + 4 * line, sizeof(two));
      const Pairs of_token = pairs(splat_ints(two));
      for (int v = 0; v < kVectors; v++) acc[v][t] = dot_pairs(acc[v][t], codes[v], of_token);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; t++) {
    if (t >= n_tokens) break;
    for (int v = 0; v < kVectors; v++) {
      const int64_t row = first_row + v * kVectorRows, n = a.n_rows - row;
      float* out = a.out + (first_token + t) * a.out_stride + row;
      if (n >= kVectorRows) {
        store(out, acc[v][t]);
      } else if (n > 0) {
        store_first(out, n, acc[v][t]);
      }
    }
  }
}

template <int kVectors, int kTokens>
inline void few_pairs(const PackedArguments& a, int64_t n_tokens) {
  for (int64_t row = 0; row < a.n_rows; row += kVectors * kVectorRows) {
    for (int64_t t = 0; t < n_tokens; t += kTokens) {
      multiply_pairs<kVectors, kTokens>(a, t, row, 0, a.k, std::min<int64_t>(kTokens, n_tokens - t), t == 0);
    }
  }
}

void multiply_packed_bf16(const PackedArguments& a, int64_t n_tokens) {
  if (n_tokens == 1) return few_pairs<4, 1>(a, n_tokens);
  if (n_tokens <= 4) return few_pairs<kFewPairVectors, 4>(a, n_tokens);
  if (n_tokens <= 8) return few_pairs<2, std::min(8, kPairTileTokens)>(a, n_tokens);
  for (int64_t row = 0; row < a.n_rows; row += 2 * kVectorRows) {
    for (int64_t col = 0; col < a.k; col += kPairColumns) {
      const int64_t n_cols = std::min(kPairColumns, a.k - col);
      for (int64_t t = 0; t < n_tokens; t += kPairTileTokens) {
        multiply_pairs<2, kPairTileTokens>(a, t, row, col, n_cols, std::min<int64_t>(kPairTileTokens, n_tokens - t), false);
      }
    }
  }
}

// Activations as bf16, rounded to nearest, ties to even; a NaN stays one.
inline void code_row_bf16(uint8_t* out, const float* x, int64_t k) {
  for (int64_t c = 0; c < k; c++) {
    uint32_t bits;
    std::memcpy(&bits, x + c, sizeof(bits));
    const bool is_nan = (bits & 0x7FFFFFFF) > 0x7F800000;
    const auto code = static_cast<uint16_t>((is_nan ? bits | 0x400000 : bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    std::memcpy(out + 2 * c, &code, sizeof(code));
  }
}

}  // namespace
}  // namespace minke
