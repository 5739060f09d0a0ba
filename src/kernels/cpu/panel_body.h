// Products of panels, over the vectors of vec_*.h. Two shapes:
//   dot:  out[i, j] (+)= sum over c < k of x[i, c] * w[j, c]     lanes along c
//   axpy: out[i, c]  += sum over j < m of x[i, j] * w[j, c]      lanes along c, j in order
// Batch invariance rests on this: each output has one vector accumulator (dot) or one lane (axpy) of its own, in every tile
// shape; tiles share loads only. So how many rows a tile has changes no bit. Two accumulators per output in the one-row tile
// would hide more latency, but would be another order of summation than that of the big tiles.
#pragma once

#include <cstdint>

#include "kernels/cpu/kernel_table.h"

namespace minke {
namespace {

constexpr int kDotTileCols = 4;   // rows of w in a tile
constexpr int kAxpyTileVecs = 4;  // vectors of columns in a tile

struct F32Row {
  static Vec load_at(const uint8_t* row, int64_t c) { return load(reinterpret_cast<const float*>(row) + c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) {
    return load_first(reinterpret_cast<const float*>(row) + c, n, zero());
  }
};

struct F16Row {
  static Vec load_at(const uint8_t* row, int64_t c) { return load_f16(row + 2 * c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) { return load_first_f16(row + 2 * c, n); }
};

struct Bf16Row {
  static Vec load_at(const uint8_t* row, int64_t c) { return load_bf16(row + 2 * c); }
  static Vec load_first_at(const uint8_t* row, int64_t c, int64_t n) { return load_first_bf16(row + 2 * c, n); }
};

// Sums of the lanes of four vectors; each sum is (l0 + l1) + (l2 + l3) of what fold_to_4 leaves.
inline __m128 lane_sums(Vec a, Vec b, Vec c, Vec d) {
  return _mm_hadd_ps(_mm_hadd_ps(fold_to_4(a), fold_to_4(b)), _mm_hadd_ps(fold_to_4(c), fold_to_4(d)));
}
inline float lane_sum(Vec v) { return _mm_cvtss_f32(lane_sums(v, v, v, v)); }

struct DotArguments {
  float* out;
  int64_t out_stride;
  const float* x;
  int64_t x_stride;
  const uint8_t* w;
  int64_t w_stride_bytes;
  int64_t k;
  Accumulate accumulate;
};

template <int kRows, int kCols>
inline void write_sums(float* out, int64_t out_stride, const Vec (&sums)[kRows][kCols], Accumulate accumulate) {
  for (int r = 0; r < kRows; r++) {
    float* out_row = out + r * out_stride;
    if constexpr (kCols == 4) {
      __m128 four = lane_sums(sums[r][0], sums[r][1], sums[r][2], sums[r][3]);
      if (accumulate == Accumulate::kAdd) four = _mm_add_ps(_mm_loadu_ps(out_row), four);
      _mm_storeu_ps(out_row, four);
    } else {
      static_assert(kCols == 1);
      const float one = lane_sum(sums[r][0]);
      *out_row = accumulate == Accumulate::kAdd ? *out_row + one : one;
    }
  }
}

template <typename Row, int kRows, int kCols>
inline void dot_tile(const DotArguments& a, int64_t i, int64_t j) {
  const float* x = a.x + i * a.x_stride;
  const uint8_t* w = a.w + j * a.w_stride_bytes;
  Vec sums[kRows][kCols];
  for (int r = 0; r < kRows; r++) {
    for (int s = 0; s < kCols; s++) sums[r][s] = zero();
  }
  auto step = [&](auto load_x, auto load_w) __attribute__((always_inline)) {
    Vec x_vecs[kRows];
    for (int r = 0; r < kRows; r++) x_vecs[r] = load_x(x + r * a.x_stride);
    for (int s = 0; s < kCols; s++) {
      const Vec w_vec = load_w(w + s * a.w_stride_bytes);
      for (int r = 0; r < kRows; r++) sums[r][s] = multiply_add(x_vecs[r], w_vec, sums[r][s]);
    }
  };
  int64_t c = 0;
  for (; c + kLanes <= a.k; c += kLanes) {
    step([&](const float* row) { return load(row + c); }, [&](const uint8_t* row) { return Row::load_at(row, c); });
  }
  if (const int64_t n = a.k - c; n > 0) {
    step([&](const float* row) { return load_first(row + c, n, zero()); },
         [&](const uint8_t* row) { return Row::load_first_at(row, c, n); });
  }
  write_sums<kRows, kCols>(a.out + i * a.out_stride + j, a.out_stride, sums, a.accumulate);
}

// kRows rows of x from row i on, all rows of w.
template <typename Row, int kRows>
inline void dot_rows(const DotArguments& a, int64_t i, int64_t n_w) {
  int64_t j = 0;
  for (; j + kDotTileCols <= n_w; j += kDotTileCols) dot_tile<Row, kRows, kDotTileCols>(a, i, j);
  for (; j < n_w; j++) dot_tile<Row, kRows, 1>(a, i, j);
}

// What is left when n_x is no multiple of the tile: one tile of exactly n rows.
template <typename Row, int kRows>
inline void dot_remainder(const DotArguments& a, int64_t i, int64_t n, int64_t n_w) {
  if constexpr (kRows > 0) {
    if (n == kRows) {
      dot_rows<Row, kRows>(a, i, n_w);
    } else {
      dot_remainder<Row, kRows - 1>(a, i, n, n_w);
    }
  }
}

template <typename Row>
void dot_panel(float* out, int64_t out_stride, const float* x, int64_t x_stride, int64_t n_x, const uint8_t* w,
               int64_t w_stride_bytes, int64_t n_w, int64_t k, Accumulate accumulate) {
  const DotArguments a = {out, out_stride, x, x_stride, w, w_stride_bytes, k, accumulate};
  int64_t i = 0;
  for (; i + kDotTileRows <= n_x; i += kDotTileRows) dot_rows<Row, kDotTileRows>(a, i, n_w);
  dot_remainder<Row, kDotTileRows - 1>(a, i, n_x - i, n_w);
}

struct AxpyArguments {
  float* out;
  int64_t out_stride;
  const float* x;
  int64_t x_stride;
  const float* w;
  int64_t w_stride;
  int64_t m;
};

// kRows rows of out from row i on, kVecs vectors of columns from column c on; the last vector has `n` columns if n > 0.
template <int kRows, int kVecs>
inline void axpy_tile(const AxpyArguments& a, int64_t i, int64_t c, int64_t n) {
  auto load_columns = [&](const float* row, int v) __attribute__((always_inline)) {
    return n > 0 ? load_first(row + v * kLanes, n, zero()) : load(row + v * kLanes);
  };
  Vec sums[kRows][kVecs];
  for (int r = 0; r < kRows; r++) {
    for (int v = 0; v < kVecs; v++) sums[r][v] = load_columns(a.out + (i + r) * a.out_stride + c, v);
  }
  for (int64_t j = 0; j < a.m; j++) {
    Vec factors[kRows];
    for (int r = 0; r < kRows; r++) factors[r] = broadcast(a.x[(i + r) * a.x_stride + j]);
    for (int v = 0; v < kVecs; v++) {
      const Vec w_vec = load_columns(a.w + j * a.w_stride + c, v);
      for (int r = 0; r < kRows; r++) sums[r][v] = multiply_add(factors[r], w_vec, sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; r++) {
    float* out_row = a.out + (i + r) * a.out_stride + c;
    for (int v = 0; v < kVecs; v++) {
      if (n > 0) {
        store_first(out_row + v * kLanes, n, sums[r][v]);
      } else {
        store(out_row + v * kLanes, sums[r][v]);
      }
    }
  }
}

template <int kRows>
inline void axpy_rows(const AxpyArguments& a, int64_t i, int64_t n_cols) {
  int64_t c = 0;
  for (; c + kAxpyTileVecs * kLanes <= n_cols; c += kAxpyTileVecs * kLanes) axpy_tile<kRows, kAxpyTileVecs>(a, i, c, 0);
  for (; c + kLanes <= n_cols; c += kLanes) axpy_tile<kRows, 1>(a, i, c, 0);
  if (c < n_cols) axpy_tile<kRows, 1>(a, i, c, n_cols - c);
}

void axpy_panel(float* out, int64_t out_stride, const float* x, int64_t x_stride, int64_t n_x, const float* w, int64_t w_stride,
                int64_t m, int64_t n_cols) {
  const AxpyArguments a = {out, out_stride, x, x_stride, w, w_stride, m};
  int64_t i = 0;
  for (; i + kAxpyTileRows <= n_x; i += kAxpyTileRows) axpy_rows<kAxpyTileRows>(a, i, n_cols);
  for (; i < n_x; i++) axpy_rows<1>(a, i, n_cols);
}

}  // namespace
}  // namespace minke
