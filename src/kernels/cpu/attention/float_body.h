// Attention over pages of f32, f16 or bf16: numbers are widened in registers, products and sums are f32.
// The order of every sum is fixed for a (row, key) or (row, column) pair and does not depend on the tile that it is part of:
// scores against heads run over columns one by one, scores against latents over columns in lanes and then over the lanes,
// mixed values over keys one by one. A key that a row does not see is never multiplied into it, so its NaN stays where it is.
#pragma once

#include "kernels/cpu/attention/softmax_body.h"
#include "kernels/cpu/panel_body.h"

namespace minke {
namespace {

constexpr int kTileVecs = 4;

template <typename Row>
constexpr int64_t kRowElementBytes = 2;
template <>
constexpr int64_t kRowElementBytes<F32Row> = 4;

// Scores of kRows rows against the 64 keys of a page of heads, keys [key_cols][64].
template <typename Row, int kRows>
inline void score_heads(float* scores, const float* queries, const KvLayout& layout, const uint8_t* keys, Fetch& fetch) {
  for (int64_t first = 0; first < kPageTokens; first += kTileVecs * kLanes) {
    Vec sums[kRows][kTileVecs];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) sums[r][v] = zero();
    }
    for (int64_t c = 0; c < layout.key_dim; c++) {
      fetch.advance(kRows * kTileVecs * kLanes);
      Vec key[kTileVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) key[v] = Row::load_at(keys, c * kPageTokens + first + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; r++) {
        const Vec q = broadcast(queries[r * layout.key_cols + c]);
#pragma GCC unroll 8
        for (int v = 0; v < kTileVecs; v++) sums[r][v] = multiply_add(q, key[v], sums[r][v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) store(scores + r * kBlockTokens + first + v * kLanes, sums[r][v]);
    }
  }
}

// Scores of kRows rows against the first n_keys of a page of latents, rounded up to a multiple of 4.
template <typename Row, int kRows>
inline void score_latents(float* scores, const float* queries, const KvLayout& layout, const uint8_t* rows, int64_t n_keys,
                          Fetch& fetch) {
  for (int64_t j = 0; j < n_keys; j += kTileVecs) {
    Vec sums[kRows][kTileVecs];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) sums[r][v] = zero();
    }
    for (int64_t c = 0; c < layout.key_cols; c += kLanes) {
      fetch.advance(kRows * kTileVecs * kLanes);
      Vec key[kTileVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kTileVecs; v++) key[v] = Row::load_at(rows, (j + v) * layout.key_cols + c);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; r++) {
        const Vec q = load(queries + r * layout.key_cols + c);
#pragma GCC unroll 8
        for (int v = 0; v < kTileVecs; v++) sums[r][v] = multiply_add(q, key[v], sums[r][v]);
      }
    }
    write_sums<kRows>(scores + j, kBlockTokens, sums);
  }
}

struct MixArguments {
  const AttentionBlock& block;
  const float* keep;  // [n_rows]
  int64_t values_offset, row_cols;
  Fetch& fetch;
};

// acc[row .. row + kRows) of kVecs vectors of columns += weights [begin, end) * values; acc is first multiplied by `keep`.
template <typename Row, int kRows, int kVecs>
inline void mix_tile(const MixArguments& a, int64_t row, int64_t column, int64_t begin, int64_t end, bool is_first) {
  const int64_t value_cols = a.block.layout->value_cols;
  float* acc = a.block.state.acc + row * value_cols + column;
  const float* weights = a.block.scores + row * kBlockTokens;
  Vec sums[kRows][kVecs];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; v++) {
      sums[r][v] = load(acc + r * value_cols + v * kLanes);
      if (is_first) sums[r][v] = multiply(sums[r][v], broadcast(a.keep[row + r]));
    }
  }
  for (int64_t page = begin / kPageTokens; page * kPageTokens < end; page++) {
    const int64_t start = page * kPageTokens;
    const uint8_t* values = reinterpret_cast<const uint8_t*>(a.block.pages[page] + a.values_offset);
    const int64_t last = end - start < kPageTokens ? end - start : kPageTokens;
    for (int64_t j = begin > start ? begin - start : 0; j < last; j++) {
      a.fetch.advance(kRows * kVecs * kLanes);
      Vec value[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; v++) value[v] = Row::load_at(values, j * a.row_cols + column + v * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; r++) {
        const Vec weight = broadcast(weights[r * kBlockTokens + start + j]);
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; v++) sums[r][v] = multiply_add(weight, value[v], sums[r][v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; v++) store(acc + r * value_cols + v * kLanes, sums[r][v]);
  }
}

template <typename Row, int kRows>
inline void mix_rows(const MixArguments& a, int64_t row, int64_t begin, int64_t end, bool is_first) {
  const int64_t value_cols = a.block.layout->value_cols;
  int64_t c = 0;
  for (; c + kTileVecs * kLanes <= value_cols; c += kTileVecs * kLanes) {
    mix_tile<Row, kRows, kTileVecs>(a, row, c, begin, end, is_first);
  }
  for (; c < value_cols; c += kLanes) mix_tile<Row, kRows, 1>(a, row, c, begin, end, is_first);
}

template <typename Row, bool kIsLatent>
void attend_floats(const AttentionBlock& block) {
  const KvLayout& layout = *block.layout;
  Fetch fetch(block);
  for (int64_t page = 0; page < kBlockPages && block.pages[page] != nullptr; page++) {
    const uint8_t* keys = reinterpret_cast<const uint8_t*>(block.pages[page]);
    for_tiles<kDotTileRows>(block.n_rows, [&]<int kRows>(int64_t row) {
      const int64_t n_keys = most_visible(block, row, kRows) - page * kPageTokens;
      if (n_keys <= 0) return;
      float* scores = block.scores + row * kBlockTokens + page * kPageTokens;
      const float* queries = block.queries + row * layout.key_cols;
      if constexpr (kIsLatent) {
        score_latents<Row, kRows>(scores, queries, layout, keys, n_keys < kPageTokens ? n_keys : kPageTokens, fetch);
      } else {
        score_heads<Row, kRows>(scores, queries, layout, keys, fetch);
      }
    });
  }
  float keep[kMaxBlockRows];
  for (int64_t i = 0; i < block.n_rows; i++) keep[i] = softmax_row(block, i);
  const MixArguments mix = {block, keep, layout.values_offset, kIsLatent ? layout.key_cols : layout.value_cols, fetch};
  for_tiles<kAxpyTileRows>(block.n_rows, [&]<int kRows>(int64_t row) {
    const int64_t common = least_visible(block, row, kRows);
    mix_rows<Row, kRows>(mix, row, 0, common, true);
    for (int64_t i = row; i < row + kRows; i++) {
      if (block.n_visible[i] > common) mix_rows<Row, 1>(mix, i, common, block.n_visible[i], false);
    }
  });
}

}  // namespace
}  // namespace minke
