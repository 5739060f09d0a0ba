// Products of coded activations (kernels/packed/activations.h) with panels of 16 rows, over the formats of packed_formats.h.
//
// Per 32 columns (or 16, where the weight has a scale for every 16) the products of bytes are summed exactly in integers; then
//   out += (scale * d) * sum       and with minima    out -= min * (d * sum of q)
// with one rounding each, in the order of the columns. Integers have no order, so an output has the same bits whether its token
// comes alone or with others, whatever the instruction set, and wherever tiles begin.
//
// Few tokens (decoding): codes go from memory to registers once and meet up to 8 tokens. Many tokens: a tile of rows is decoded
// to bytes in L1 once and meets all tokens.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/packed/formats.h"

namespace minke {
namespace {

constexpr int64_t kBlockColumns = 32;  // of an activation's scale
constexpr int64_t kChunkBlocks = 16;   // of 32 columns that are decoded at a time for many tokens: 16 KB of codes
constexpr int64_t kPrefetchBytes = 4096;
constexpr int64_t kFewTokens = 8;

// The parts of a coded row.
struct CodedRow {
  const uint8_t* base;
  int64_t k;

  const uint8_t* codes(int64_t block) const { return base + kBlockColumns * block; }
  const float* d() const { return reinterpret_cast<const float*>(base + k); }
  const int32_t* sums() const { return reinterpret_cast<const int32_t*>(base + k + k / 8); }
  const float* scaled_sums() const { return reinterpret_cast<const float*>(base + k + k / 4); }
  const float* scaled_half_sums() const { return reinterpret_cast<const float*>(base + k + 3 * (k / 8)); }
};

inline CodedRow coded_row(const PackedArguments& a, int64_t token) {
  const int64_t row = a.token_rows == nullptr ? token : a.token_rows[token];
  return {a.x + row * a.x_stride, a.k};
}

inline Ints splat_four(const uint8_t* p) {
  int32_t word;
  std::memcpy(&word, p, sizeof(word));
  return splat_ints(word);
}

template <typename F>
constexpr int kCodeOffsetOf = F::kSigned ? (kBytesAreUnsigned ? 128 : 0) : F::kOffset;

template <bool kSigned>
inline Ints dot_codes(Ints acc, Ints codes, Ints x) {
  return kSigned && !kBytesAreUnsigned ? dot_signed(acc, codes, x) : dot_unsigned(acc, codes, x);
}

// Where the sum of products starts: - offset * sum of q, over both halves of the block or one.
template <int kOffset, bool kFirst, bool kSecond>
inline Ints offset_sum(int32_t sums) {
  if constexpr (kOffset == 0) {
    return splat_ints(0);
  } else {
    return multiply_word_pairs(splat_ints(sums), splat_words(kFirst ? -kOffset : 0, kSecond ? -kOffset : 0));
  }
}

// The one way in which a sum of products of bytes joins an output.
template <bool kHasMin>
inline Vec add_sum(Vec acc, Ints sum, Vec scale, Vec d, Vec min, const float* scaled_sum) {
  acc = multiply_add(multiply(scale, d), to_float(sum), acc);
  if constexpr (kHasMin) acc = subtract_product(min, broadcast(*scaled_sum), acc);
  return acc;
}

// The first n rows of a vector to out.
inline void write_rows(float* out, Vec v, int64_t n) {
  if (n >= kVectorRows) {
    store(out, v);
  } else if (n > 0) {
    store_first(out, n, v);
  }
}

// ---- few tokens

template <typename F, int kTokens>
inline void few_tokens(const PackedArguments& a, const uint8_t* panel, int vector, int64_t first_token, int64_t n_tokens,
                       int64_t first_row, int64_t n_rows) {
  constexpr int kScalesPerBlock = 32 / F::kScaleColumns;
  const uint8_t* heads = panel + 2 * kVectorRows * vector;
  const uint8_t* body = panel + a.head_bytes + 4 * kVectorRows * vector;
  CodedRow x[kTokens];
  Vec acc[kTokens];
  for (int t = 0; t < kTokens; t++) {
    x[t] = coded_row(a, first_token + std::min<int64_t>(t, n_tokens - 1));
    acc[t] = zero();
  }
  alignas(64) float scales[F::kScales * kRowsOfPanel], mins[F::kHasMin ? F::kScales * kRowsOfPanel : 1];
  const int64_t n_groups = a.k / (kBlockColumns * F::kBlocks);
  for (int64_t group = 0; group < n_groups; group++) {
    for (int l = vector; l < F::kLines; l += kPanelVectors) __builtin_prefetch(body + kLineBytes * l + kPrefetchBytes);
    F::scales(scales, mins, heads, body);
    unroll<F::kBlocks>([&](auto b) __attribute__((always_inline)) {
      Ints g[8];
      F::template codes<b>(g, body);
      Vec scale[kScalesPerBlock], min[kScalesPerBlock];
      for (int s = 0; s < kScalesPerBlock; s++) {
        scale[s] = load(scales + kRowsOfPanel * (kScalesPerBlock * b + s));
        min[s] = F::kHasMin ? load(mins + kRowsOfPanel * (kScalesPerBlock * b + s)) : zero();
      }
      const int64_t block = group * F::kBlocks + b;
#pragma GCC unroll 8
      for (int t = 0; t < kTokens; t++) {
        const uint8_t* q = x[t].codes(block);
        Ints first = offset_sum<kCodeOffsetOf<F>, true, false>(x[t].sums()[block]);
        Ints second = offset_sum<kCodeOffsetOf<F>, false, true>(x[t].sums()[block]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          first = dot_codes<F::kSigned>(first, g[i], splat_four(q + 4 * i));
          second = dot_codes<F::kSigned>(second, g[i + 4], splat_four(q + 4 * (i + 4)));
        }
        const Vec d = broadcast(x[t].d()[block]);
        if constexpr (kScalesPerBlock == 1) {
          acc[t] = add_sum<F::kHasMin>(acc[t], add_ints(first, second), scale[0], d, min[0], x[t].scaled_sums() + block);
        } else {
          const float* half_sums = x[t].scaled_half_sums() + 2 * block;
          acc[t] = add_sum<F::kHasMin>(acc[t], first, scale[0], d, min[0], half_sums);
          acc[t] = add_sum<F::kHasMin>(acc[t], second, scale[1], d, min[1], half_sums + 1);
        }
      }
    });
    heads += 2 * kRowsOfPanel * F::kHeads;
    body += kLineBytes * F::kLines;
  }
  for (int t = 0; t < kTokens && t < n_tokens; t++) {
    write_rows(a.out + (first_token + t) * a.out_stride + first_row, acc[t], n_rows);
  }
}

template <typename F>
void few(const PackedArguments& a, int64_t first_token, int64_t n_tokens) {
  for (int64_t first_row = 0; first_row < a.n_rows; first_row += kRowsOfPanel) {
    const uint8_t* panel = a.panels + first_row / kRowsOfPanel * a.panel_bytes;
    for (int v = 0; v < kPanelVectors; v++) {
      const int64_t row = first_row + v * kVectorRows, n_rows = a.n_rows - row;
      if (n_tokens == 1) {
        few_tokens<F, 1>(a, panel, v, first_token, n_tokens, row, n_rows);
      } else if (n_tokens <= 4) {
        few_tokens<F, 4>(a, panel, v, first_token, n_tokens, row, n_rows);
      } else {
        few_tokens<F, 8>(a, panel, v, first_token, n_tokens, row, n_rows);
      }
    }
  }
}

// ---- many tokens

// kTileVectors vectors of rows, decoded for kChunkBlocks blocks.
template <int kScalesPerBlock>
struct DecodedTile {
  alignas(64) uint8_t codes[kChunkBlocks][8][kTileVectors][4 * kVectorRows];
  alignas(64) float scale[kChunkBlocks][kScalesPerBlock][kTileVectors][kVectorRows];
  alignas(64) float min[kChunkBlocks][kScalesPerBlock][kTileVectors][kVectorRows];
};

// Blocks [first, first + n) of one vector of rows; first and n are multiples of F::kBlocks, or n ends the row.
template <typename F>
void decode_tile(DecodedTile<32 / F::kScaleColumns>& tile, int slot, const PackedArguments& a, const uint8_t* panel, int vector,
                 int64_t first, int64_t n) {
  constexpr int kScalesPerBlock = 32 / F::kScaleColumns;
  alignas(64) float scales[F::kScales * kRowsOfPanel], mins[F::kScales * kRowsOfPanel];
  for (int64_t group = 0; group < n / F::kBlocks; group++) {
    const int64_t at = first / F::kBlocks + group;
    const uint8_t* heads = panel + 2 * kVectorRows * vector + 2 * kRowsOfPanel * F::kHeads * at;
    const uint8_t* body = panel + a.head_bytes + 4 * kVectorRows * vector + kLineBytes * F::kLines * at;
    F::scales(scales, mins, heads, body);
    unroll<F::kBlocks>([&](auto b) __attribute__((always_inline)) {
      const int64_t block = group * F::kBlocks + b;
      Ints g[8];
      F::template codes<b>(g, body);
      for (int i = 0; i < 8; i++) store_ints(tile.codes[block][i][slot], g[i]);
      for (int s = 0; s < kScalesPerBlock; s++) {
        store(tile.scale[block][s][slot], load(scales + kRowsOfPanel * (kScalesPerBlock * b + s)));
        if constexpr (F::kHasMin) store(tile.min[block][s][slot], load(mins + kRowsOfPanel * (kScalesPerBlock * b + s)));
      }
    });
  }
}

// kTokens tokens against the decoded blocks; acc [kTileVectors][kTokens] starts from what `out` holds unless is_first.
template <typename F>
inline void multiply_tile(const DecodedTile<32 / F::kScaleColumns>& tile, const PackedArguments& a, int64_t first_token,
                          int64_t n_tokens, int64_t first_row, int64_t first_block, int64_t n_blocks) {
  constexpr int kScalesPerBlock = 32 / F::kScaleColumns;
  CodedRow x[kTileTokens];
  Vec acc[kTileVectors][kTileTokens];
  for (int t = 0; t < kTileTokens; t++) {
    const int64_t token = first_token + std::min<int64_t>(t, n_tokens - 1);
    x[t] = coded_row(a, token);
    for (int v = 0; v < kTileVectors; v++) {
      const int64_t row = first_row + v * kVectorRows, n = a.n_rows - row;
      const float* from = a.out + token * a.out_stride + row;
      acc[v][t] = first_block == 0 || n <= 0 ? zero() : n >= kVectorRows ? load(from) : load_first(from, n, zero());
    }
  }
  for (int64_t b = 0; b < n_blocks; b++) {
    const int64_t block = first_block + b;
    Ints sums[kTileVectors][kTileTokens];
    auto dots = [&](int begin, int end) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int i = begin; i < end; i++) {
        Ints codes[kTileVectors];
        for (int v = 0; v < kTileVectors; v++) codes[v] = load_ints(tile.codes[b][i][v]);
#pragma GCC unroll 8
        for (int t = 0; t < kTileTokens; t++) {
          const Ints q = splat_four(x[t].codes(block) + 4 * i);
          for (int v = 0; v < kTileVectors; v++) sums[v][t] = dot_codes<F::kSigned>(sums[v][t], codes[v], q);
        }
      }
    };
    auto start = [&](auto is_first, auto is_second) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int t = 0; t < kTileTokens; t++) {
        const Ints sum = offset_sum<kCodeOffsetOf<F>, is_first, is_second>(kCodeOffsetOf<F> == 0 ? 0 : x[t].sums()[block]);
        for (int v = 0; v < kTileVectors; v++) sums[v][t] = sum;
      }
    };
    auto add_all = [&](int s) __attribute__((always_inline)) {
      Vec scale[kTileVectors], min[kTileVectors];
      for (int v = 0; v < kTileVectors; v++) {
        scale[v] = load(tile.scale[b][s][v]);
        min[v] = F::kHasMin ? load(tile.min[b][s][v]) : zero();
      }
#pragma GCC unroll 8
      for (int t = 0; t < kTileTokens; t++) {
        const Vec d = broadcast(x[t].d()[block]);
        const float* sum = kScalesPerBlock == 1 ? x[t].scaled_sums() + block : x[t].scaled_half_sums() + 2 * block + s;
        for (int v = 0; v < kTileVectors; v++) acc[v][t] = add_sum<F::kHasMin>(acc[v][t], sums[v][t], scale[v], d, min[v], sum);
      }
    };
    using Yes = std::true_type;
    using No = std::false_type;
    if constexpr (kScalesPerBlock == 1) {
      start(Yes(), Yes());
      dots(0, 8);
      add_all(0);
    } else {
      start(Yes(), No());
      dots(0, 4);
      add_all(0);
      start(No(), Yes());
      dots(4, 8);
      add_all(1);
    }
  }
  for (int t = 0; t < kTileTokens && t < n_tokens; t++) {
    for (int v = 0; v < kTileVectors; v++) {
      const int64_t row = first_row + v * kVectorRows;
      write_rows(a.out + (first_token + t) * a.out_stride + row, acc[v][t], a.n_rows - row);
    }
  }
}

// Bytes [begin, end) of a panel into L2, share `i` of `n` of them. Always inlined: gcc takes a function that only fetches for
// one without effect and drops its calls.
__attribute__((always_inline)) inline void fetch_share(const uint8_t* panel, int64_t begin, int64_t end, int64_t i, int64_t n) {
  const int64_t n_lines = (end - begin + kLineBytes - 1) / kLineBytes;
  for (int64_t line = n_lines * i / n; line < n_lines * (i + 1) / n; line++) {
    __builtin_prefetch(panel + begin + line * kLineBytes, 0, 2);
  }
}

// Share `i` of `n` of blocks [first, first + n_blocks) of a tile of rows, before they are decoded: while a tile is multiplied
// nothing else reads memory. The rows need not be there: behind those of this call others often follow.
template <typename F>
__attribute__((always_inline)) inline void fetch_tile(const PackedArguments& a, int64_t first_row, int64_t first,
                                                      int64_t n_blocks, int64_t i, int64_t n) {
  const int64_t begin = first / F::kBlocks, end = (first + n_blocks) / F::kBlocks;
  constexpr int64_t kHeadBytes = 2 * kRowsOfPanel * F::kHeads, kBodyBytes = kLineBytes * F::kLines;
  for (int64_t row = first_row; row < first_row + kTileVectors * kVectorRows; row += kRowsOfPanel) {
    const uint8_t* panel = a.panels + row / kRowsOfPanel * a.panel_bytes;
    fetch_share(panel, begin * kHeadBytes, end * kHeadBytes, i, n);
    fetch_share(panel, a.head_bytes + begin * kBodyBytes, a.head_bytes + end * kBodyBytes, i, n);
  }
}

// run(tile, first_row, first_block, n_blocks) for every part of the rows, decoded.
template <typename F, typename Run>
inline void for_decoded_tiles(const PackedArguments& a, Run run) {
  DecodedTile<32 / F::kScaleColumns> tile;
  const int64_t n_blocks = a.k / kBlockColumns;
  for (int64_t first_row = 0; first_row < a.n_rows; first_row += kTileVectors * kVectorRows) {
    for (int64_t first = 0; first < n_blocks; first += kChunkBlocks) {
      const int64_t n = std::min(kChunkBlocks, n_blocks - first);
      for (int v = 0; v < kTileVectors; v++) {
        // Past the last row the first vector again: its products are not written.
        const int64_t row = first_row + v * kVectorRows < a.n_rows ? first_row + v * kVectorRows : first_row;
        const uint8_t* panel = a.panels + row / kRowsOfPanel * a.panel_bytes;
        decode_tile<F>(tile, v, a, panel, static_cast<int>(row % kRowsOfPanel) / kVectorRows, first, n);
      }
      run(tile, first_row, first, n);
    }
  }
}

template <typename F>
void many(const PackedArguments& a, int64_t n_tokens) {
  const int64_t n_blocks = a.k / kBlockColumns, n_tiles = (n_tokens + kTileTokens - 1) / kTileTokens;
  for_decoded_tiles<F>(a, [&](const auto& tile, int64_t first_row, int64_t first, int64_t n) {
    const bool is_last = first + n >= n_blocks;
    const int64_t next_row = is_last ? first_row + kTileVectors * kVectorRows : first_row, next = is_last ? 0 : first + n;
    for (int64_t t = 0; t < n_tokens; t += kTileTokens) {
      fetch_tile<F>(a, next_row, next, std::min(kChunkBlocks, n_blocks - next), t / kTileTokens, n_tiles);
      multiply_tile<F>(tile, a, t, std::min<int64_t>(kTileTokens, n_tokens - t), first_row, first, n);
    }
  });
}

template <typename F>
void multiply_packed(const PackedArguments& a, int64_t n_tokens) {
  if (n_tokens <= kFewTokens) return few<F>(a, 0, n_tokens);
  many<F>(a, n_tokens);
}

}  // namespace
}  // namespace minke
