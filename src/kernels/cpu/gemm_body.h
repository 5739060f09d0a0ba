// Tiles of products, over the vectors of vec_*.h: outputs lie in lanes, the other operand is broadcast, the reduction runs
// step by step. Each output is one lane of one accumulator, so the shape of a tile changes no bit. And the copies that bring
// the operand in lanes into panels of kGemmCols columns: out[d][lane], as it is or transposed.
#pragma once

#include <cstdint>
#include <utility>

#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/panel_body.h"

namespace minke {
namespace {

constexpr int kGemmVecs = kGemmCols / kLanes;

template <int kRows, int kVecs>
struct GemmTile {
  Vec sums[kRows][kVecs];

  void begin(const GemmArguments& a, const float* out) {
    if (a.sums != TileSums::kStore) {  // the tile below comes next
#pragma GCC unroll 16
      for (int r = kRows; r < 2 * kRows; r++) {
        for (int v = 0; v < kVecs; v += 64 / static_cast<int>(sizeof(Vec)))
          __builtin_prefetch(out + r * a.out_stride + v * kLanes);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; v++) {
        sums[r][v] = a.sums == TileSums::kResume ? load_columns(out + r * a.out_stride, v, a.n_cols) : zero();
      }
    }
  }
  void end(const GemmArguments& a, float* out) const {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      float* at = out + r * a.out_stride;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; v++) {
        const Vec sum = a.sums == TileSums::kAdd ? add(load_columns(at, v, a.n_cols), sums[r][v]) : sums[r][v];
        const int64_t n = a.n_cols - v * kLanes;
        if (n >= kLanes) {
          store(at + v * kLanes, sum);
        } else if (n > 0) {
          store_first(at + v * kLanes, n, sum);
        }
      }
    }
  }
  static Vec load_columns(const float* row, int v, int64_t n_cols) {
    const int64_t n = n_cols - v * kLanes;
    if (n >= kLanes) return load(row + v * kLanes);
    return n > 0 ? load_first(row + v * kLanes, n, zero()) : zero();
  }
  // One step of the reduction; factor(r) is what row r multiplies.
  template <typename Factor>
  [[gnu::always_inline]] void step(const float* b, Factor factor) {
    Vec vecs[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; v++) vecs[v] = load(b + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r++) {
      const Vec f = broadcast(factor(r));
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; v++) sums[r][v] = multiply_add(f, vecs[v], sums[r][v]);
    }
  }
};

// The factors of a row of outputs lie one after the other, each row wherever it is.
template <int kRows, int kVecs>
void multiply_rows_tile(const GemmArguments& a, int64_t i) {
  const float* rows[kRows];
  for (int r = 0; r < kRows; r++) rows[r] = a.rows[i + r] + a.rows_offset;
  float* out = a.out + i * a.out_stride;
  GemmTile<kRows, kVecs> tile;
  tile.begin(a, out);
  const float* b = a.b;
  for (int64_t d = 0; d < a.depth; d++, b += a.b_stride) {
    tile.step(
        b, [&](int r) __attribute__((always_inline)) { return rows[r][d]; });
  }
  tile.end(a, out);
}

// The factors of a step lie one after the other.
template <int kRows, int kVecs>
void multiply_columns_tile(const GemmArguments& a, int64_t i) {
  float* out = a.out + i * a.out_stride;
  GemmTile<kRows, kVecs> tile;
  tile.begin(a, out);
  const float* b = a.b;
  const float* factors = a.columns + i;
  for (int64_t d = 0; d < a.depth; d++, b += a.b_stride, factors += a.columns_stride) {
    tile.step(
        b, [&](int r) __attribute__((always_inline)) { return factors[r]; });
  }
  tile.end(a, out);
}

using GemmTileFn = void (*)(const GemmArguments& a, int64_t i);

// tile[n - 1] is the tile of n rows.
struct GemmTiles {
  GemmTileFn rows[kGemmRows], columns[kGemmRows];
};
template <int kVecs, int... kIndex>
constexpr GemmTiles make_gemm_tiles(std::integer_sequence<int, kIndex...>) {
  return {{multiply_rows_tile<kIndex + 1, kVecs>...}, {multiply_columns_tile<kIndex + 1, kVecs>...}};
}
constexpr GemmTiles kWideTiles = make_gemm_tiles<kGemmVecs>(std::make_integer_sequence<int, kGemmRows>());
constexpr GemmTiles kHalfTiles = make_gemm_tiles<kGemmVecs / 2>(std::make_integer_sequence<int, kGemmRows>());

// Tiles of nearly equal heights: a tile of one or two rows waits for its own additions.
inline void for_gemm_tiles(const GemmArguments& a, const GemmTileFn (&tiles)[kGemmRows]) {
  const int64_t n_tiles = (a.n_rows + kGemmRows - 1) / kGemmRows;
  int64_t i = 0;
  for (int64_t tile = 0; tile < n_tiles; tile++) {
    const int64_t n = (a.n_rows - i + n_tiles - tile - 1) / (n_tiles - tile);
    tiles[n - 1](a, i);
    i += n;
  }
}

void gemm(const GemmArguments& a) {
  const GemmTiles& tiles = a.n_cols <= kGemmCols / 2 ? kHalfTiles : kWideTiles;
  for_gemm_tiles(a, a.rows != nullptr ? tiles.rows : tiles.columns);
}

// Formats as blocks of kLanes rows and kColumns columns in registers: read(row, c) is a part of one row, and when the lanes of
// kLanes such parts have changed places each(column, values of all rows) goes through the columns in order.
struct F32Block {
  static constexpr int64_t kBytes = 4, kColumns = kLanes;
  static Vec read(const uint8_t* p) { return load(reinterpret_cast<const float*>(p)); }
  template <typename Each>
  [[gnu::always_inline]] static void columns(const Vec& v, int i, Each each) {
    each(i, v);
  }
};
struct F16Block {
  static constexpr int64_t kBytes = 2, kColumns = kLanes;
  static Vec read(const uint8_t* p) { return load_f16(p); }
  template <typename Each>
  [[gnu::always_inline]] static void columns(const Vec& v, int i, Each each) {
    each(i, v);
  }
};
struct Bf16Block {  // two columns in a word, the first in its low half
  static constexpr int64_t kBytes = 2, kColumns = 2 * kLanes;
  static Vec read(const uint8_t* p) { return load(reinterpret_cast<const float*>(p)); }
  template <typename Each>
  [[gnu::always_inline]] static void columns(const Vec& v, int i, Each each) {
    each(2 * i, low_bf16(v));
    each(2 * i + 1, high_bf16(v));
  }
};

// Asks for what is read 512 bytes later: half a microsecond at the speed of a memory channel.
inline void prefetch_ahead(const WeightRows& w, int64_t at, int first_row) {
  at += 512;
  if (at >= w.row_end) {
    if (w.next == 0) return;
    at += w.next;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kLanes; r++) __builtin_prefetch(w.rows[first_row + r] + at);
}

// each(column, lane, values of the kLanes rows from row `lane` on) for all columns and the rows from first_row on, kVecs
// vectors of them; the columns come in order.
template <typename Block, int kVecs, typename Each>
[[gnu::always_inline]] inline void for_columns(const WeightRows& w, int first_row, Each each) {
  int64_t c = 0;
  for (; c + Block::kColumns <= w.n_cols; c += Block::kColumns) {
    const int64_t at = (w.first + c) * Block::kBytes;
#pragma GCC unroll 4
    for (int lane = 0; lane < kVecs * kLanes; lane += kLanes) {
      // A line of 64 bytes has several parts where vectors are shorter.
      if (at % 64 < Block::kColumns * Block::kBytes) prefetch_ahead(w, at, first_row + lane);
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; r++) block[r] = Block::read(w.rows[first_row + lane + r] + at);
      transpose_lanes(block);
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; r++) {
        Block::columns(
            block[r], r, [&](int i, Vec v) __attribute__((always_inline)) { each(c + i, lane, v); });
      }
    }
  }
  if (c == w.n_cols) return;
#pragma GCC unroll 4
  for (int lane = 0; lane < kVecs * kLanes; lane += kLanes) {
    Vec block[kLanes];
    for (int r = 0; r < kLanes; r++) {
      alignas(64) uint8_t rest[Block::kColumns * Block::kBytes] = {};
      __builtin_memcpy(rest, w.rows[first_row + lane + r] + (w.first + c) * Block::kBytes, (w.n_cols - c) * Block::kBytes);
      block[r] = Block::read(rest);
    }
    transpose_lanes(block);
    for (int r = 0; r < kLanes; r++) {
      Block::columns(
          block[r], r, [&](int i, Vec v) __attribute__((always_inline)) {
            if (c + i < w.n_cols) each(c + i, lane, v);
          });
    }
  }
}

// Columns become the rows of a panel [n_cols][kGemmCols]. Half of the rows at a time: memory delivers more side by side slower.
template <typename Block>
void transpose_panel(float* panel, const WeightRows& w) {
  for (int half = 0; half < kGemmCols; half += kGemmCols / 2) {
    for_columns<Block, kGemmVecs / 2>(
        w, half, [&](int64_t c, int lane, Vec v) __attribute__((always_inline)) {
          store(panel + c * kGemmCols + half + lane, v);
        });
  }
}

// A panel that is multiplied as it comes, by kRows rows.
template <typename Block, int kVecs, int kRows>
void few_forward_tile(const GemmArguments& a, const WeightRows& w) {
  const float* rows[kRows];
  for (int r = 0; r < kRows; r++) rows[r] = a.rows[r] + a.rows_offset;
  GemmTile<kRows, kVecs> tile;
  tile.begin(a, a.out);
  for_columns<Block, kVecs>(
      w, 0, [&](int64_t c, int lane, Vec v) __attribute__((always_inline)) {
#pragma GCC unroll 4
        for (int r = 0; r < kRows; r++) {
          tile.sums[r][lane / kLanes] = multiply_add(broadcast(rows[r][c]), v, tile.sums[r][lane / kLanes]);
        }
      });
  tile.end(a, a.out);
}

template <typename Block, int kVecs>
void few_forward_panel(const GemmArguments& a, const WeightRows& w) {
  constexpr FewForwardFn kTiles[kFewTokens] = {few_forward_tile<Block, kVecs, 1>, few_forward_tile<Block, kVecs, 2>,
                                               few_forward_tile<Block, kVecs, 3>, few_forward_tile<Block, kVecs, 4>};
  kTiles[a.n_rows - 1](a, w);
}

template <typename Block>
void few_forward(const GemmArguments& a, const WeightRows& w) {
  (a.n_cols <= kGemmCols / 2 ? few_forward_panel<Block, kGemmVecs / 2> : few_forward_panel<Block, kGemmVecs>)(a, w);
}

// kVecs vectors of columns from column c on; the last has `n` columns if n > 0.
template <typename Row, int kRows, int kVecs>
inline void few_transposed_tile(const GemmArguments& a, const uint8_t* b, int64_t b_stride, int64_t c, int64_t n) {
  constexpr int64_t kRowsAhead = 16;
  GemmArguments part = a;
  part.n_cols = n > 0 ? (kVecs - 1) * kLanes + n : kVecs * kLanes;
  const float* rows[kRows];
  for (int r = 0; r < kRows; r++) rows[r] = a.rows[r] + a.rows_offset;
  GemmTile<kRows, kVecs> tile;
  tile.begin(part, a.out + c);
  for (int64_t d = 0; d < a.depth; d++, b += b_stride) {
    Vec vecs[kVecs];
#pragma GCC unroll 16
    for (int v = 0; v < kVecs; v++) {
      if (v % 2 == 0) Row::prefetch_at(b + kRowsAhead * b_stride, c + v * kLanes);
      const bool is_last = v == kVecs - 1 && n > 0;
      vecs[v] = is_last ? Row::load_first_at(b, c + v * kLanes, n) : Row::load_at(b, c + v * kLanes);
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; r++) {
      const Vec f = broadcast(rows[r][d]);
#pragma GCC unroll 16
      for (int v = 0; v < kVecs; v++) tile.sums[r][v] = multiply_add(f, vecs[v], tile.sums[r][v]);
    }
  }
  tile.end(part, a.out + c);
}

template <typename Row, int kRows>
void few_transposed_rows(const GemmArguments& a, const uint8_t* b, int64_t b_stride) {
  constexpr int kVecs = kFewVecs / kRows;
  int64_t c = 0;
  for (; c + kVecs * kLanes <= a.n_cols; c += kVecs * kLanes) few_transposed_tile<Row, kRows, kVecs>(a, b, b_stride, c, 0);
  for (; c + kLanes <= a.n_cols; c += kLanes) few_transposed_tile<Row, kRows, 1>(a, b, b_stride, c, 0);
  if (c < a.n_cols) few_transposed_tile<Row, kRows, 1>(a, b, b_stride, c, a.n_cols - c);
}

template <typename Row>
void few_transposed(const GemmArguments& a, const uint8_t* b, int64_t b_stride) {
  constexpr FewTransposedFn kTiles[kFewTokens] = {few_transposed_rows<Row, 1>, few_transposed_rows<Row, 2>,
                                                  few_transposed_rows<Row, 3>, few_transposed_rows<Row, 4>};
  kTiles[a.n_rows - 1](a, b, b_stride);
}

// Columns [first, first + n_cols) of n_rows rows into panels of panel_cols columns (a multiple of kLanes), one panel
// [n_rows][panel_cols] after the other; columns beyond n_cols are zero up to the next multiple of kLanes.
template <typename Row>
void copy_panels(float* panels, int64_t panel_cols, const uint8_t* const* rows, int64_t first, int64_t n_rows, int64_t n_cols) {
  for (int64_t c = 0; c < n_cols; c += panel_cols, panels += n_rows * panel_cols, first += panel_cols) {
    const int64_t width = n_cols - c < panel_cols ? n_cols - c : panel_cols;
    const int64_t n_whole = width / kLanes * kLanes, n_rest = width - n_whole;
    if (width == kGemmCols) {
      for (int64_t r = 0; r < n_rows; r++) {
#pragma GCC unroll 8
        for (int i = 0; i < kGemmCols; i += kLanes) store(panels + r * panel_cols + i, Row::load_at(rows[r], first + i));
      }
      continue;
    }
    for (int64_t i = 0; i < n_whole; i += kLanes) {
      for (int64_t r = 0; r < n_rows; r++) store(panels + r * panel_cols + i, Row::load_at(rows[r], first + i));
    }
    if (n_rest == 0) continue;
    for (int64_t r = 0; r < n_rows; r++) {
      store(panels + r * panel_cols + n_whole, Row::load_first_at(rows[r], first + n_whole, n_rest));
    }
  }
}

template <typename Row, typename Block>
constexpr WeightTable make_weight_table() {
  return {transpose_panel<Block>, copy_panels<Row>, few_forward<Block>, few_transposed<Row>};
}

}  // namespace
}  // namespace minke
