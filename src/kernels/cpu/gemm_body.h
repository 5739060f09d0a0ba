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

// Columns [first, first + n_cols) of n_rows <= kGemmCols rows become the rows of a panel; lanes beyond n_rows are zero.
template <typename Row>
void transpose_panel(float* panel, const uint8_t* const* rows, int64_t first, int64_t n_rows, int64_t n_cols) {
  for (int64_t c = 0; c < n_cols; c += kLanes) {
    const int64_t n = n_cols - c < kLanes ? n_cols - c : kLanes;
    for (int64_t lane = 0; lane < kGemmCols; lane += kLanes) {
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int r = 0; r < kLanes; r++) {
        if (lane + r >= n_rows) {
          block[r] = zero();
        } else {
          const uint8_t* row = rows[lane + r];
          block[r] = n == kLanes ? Row::load_at(row, first + c) : Row::load_first_at(row, first + c, n);
        }
      }
      transpose_lanes(block);
      for (int64_t r = 0; r < n; r++) store(panel + (c + r) * kGemmCols + lane, block[r]);
    }
  }
}

// Columns [first, first + n_cols) of n_rows rows into panels of panel_cols columns (a multiple of kLanes), one panel
// [n_rows][panel_cols] after the other; columns beyond n_cols are zero up to the next multiple of kLanes.
template <typename Row>
void copy_panels(float* panels, int64_t panel_cols, const uint8_t* const* rows, int64_t first, int64_t n_rows, int64_t n_cols) {
  for (int64_t c = 0; c < n_cols; c += panel_cols, panels += n_rows * panel_cols) {
    const int64_t end = n_cols - c < panel_cols ? n_cols - c : panel_cols;
    for (int64_t r = 0; r < n_rows; r++) {
      float* out = panels + r * panel_cols;
      int64_t i = 0;
      for (; i + kLanes <= end; i += kLanes) store(out + i, Row::load_at(rows[r], first + c + i));
      if (i < end) store(out + i, Row::load_first_at(rows[r], first + c + i, end - i));
    }
  }
}

}  // namespace
}  // namespace minke
