// The three products of small strided f32 matrices, on the caller's thread.
#include <vector>

#include "kernels/cpu/dispatch.h"
#include "kernels/gemm/gemm.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

const uint8_t* as_bytes(const float* p) { return reinterpret_cast<const uint8_t*>(p); }

// Rows of out, as many at a time as there are pointers: run(first, n, row pointers).
template <typename Run>
void for_rows(ConstRows x, int64_t n_rows, Run run) {
  constexpr int64_t kMost = 96;
  const float* rows[kMost];
  for (int64_t first = 0; first < n_rows; first += kMost) {
    const int64_t n = std::min(kMost, n_rows - first);
    for (int64_t i = 0; i < n; i++) rows[i] = x.data + (first + i) * x.stride;
    run(first, n, rows);
  }
}

void start(Rows out, int64_t n_rows, int64_t n_cols, int64_t depth, Accumulate accumulate) {
  if (depth == 0 && accumulate == Accumulate::kOverwrite) fill_zero(out, n_rows, n_cols);
}

// Panels of b [depth, n_cols], in place where a whole vector can be read.
const float* panel_of(float* panel, ConstRows b, Range depth, Range cols, const GemmTable& table, int64_t& stride) {
  const float* first = b.data + depth.begin * b.stride + cols.begin;
  if (cols.size() == kGemmCols || cols.size() == kGemmCols / 2) {
    stride = b.stride;
    return first;
  }
  const uint8_t* rows[kGemmDepth];
  for (int64_t d = 0; d < depth.size(); d++) rows[d] = as_bytes(first + d * b.stride);
  table.f32.copy(panel, kGemmCols, rows, 0, depth.size(), cols.size());
  stride = kGemmCols;
  return panel;
}

// run(arguments) for each block of depth and each panel of b; run sets the rest.
template <typename Run>
void for_panels(Rows out, ConstRows b, int64_t depth, int64_t n_cols, Accumulate accumulate, const GemmTable& table, Run run) {
  alignas(64) float panel[kGemmDepth * kGemmCols];
  GemmArguments a = {};
  a.out_stride = out.stride;
  for (int64_t d = 0; d < depth; d += kGemmDepth) {
    a.depth = std::min(kGemmDepth, depth - d);
    a.sums = sums_of_block(d, accumulate);
    for (int64_t c = 0; c < n_cols; c += kGemmCols) {
      a.n_cols = std::min(kGemmCols, n_cols - c);
      a.b = panel_of(panel, b, {d, d + a.depth}, {c, c + a.n_cols}, table, a.b_stride);
      a.out = out.data + c;
      run(a, d);
    }
  }
}

std::vector<float> packed_rows(ConstRows w, int64_t n_rows, int64_t n_cols) {
  std::vector<float> packed;
  for (int64_t r = 0; r < n_rows; r++) packed.insert(packed.end(), w.data + r * w.stride, w.data + r * w.stride + n_cols);
  return packed;
}

Weight f32_weight(std::span<const float> values, int64_t n_rows, int64_t n_cols) {
  return {.n_rows = n_rows, .n_cols = n_cols, .data = reinterpret_cast<const std::byte*>(values.data())};
}

}  // namespace

void small_matmul(Rows out, ConstRows x, ConstRows w, SmallShape shape, Accumulate accumulate, Isa isa) {
  start(out, shape.n_tokens, shape.m, shape.k, accumulate);
  if (isa == Isa::kRef) {
    const std::vector<float> packed = packed_rows(w, shape.m, shape.k);
    const Weight weight = f32_weight(packed, shape.m, shape.k);
    return ref::matmul({out, x, &weight, shape.n_tokens, nullptr}, accumulate, 0, shape.m);
  }
  const GemmTable& table = kernels(isa).gemm;
  alignas(64) float panel[kGemmDepth * kGemmCols];
  GemmArguments a = {};
  a.out_stride = out.stride;
  a.b = panel;
  a.b_stride = kGemmCols;
  for (int64_t j = 0; j < shape.m; j += kGemmCols) {
    const uint8_t* w_rows[kGemmCols];
    a.n_cols = std::min(kGemmCols, shape.m - j);
    for (int64_t r = 0; r < kGemmCols; r++) w_rows[r] = as_bytes(w.data + (j + (r < a.n_cols ? r : 0)) * w.stride);
    for (int64_t c = 0; c < shape.k; c += kGemmDepth) {
      a.depth = std::min(kGemmDepth, shape.k - c);
      a.sums = sums_of_block(c, accumulate);
      a.rows_offset = c;
      table.f32.transpose(panel, {w_rows, c, a.depth, 0, 0});
      for_rows(x, shape.n_tokens, [&](int64_t first, int64_t n, const float* const* rows) {
        a.out = out.data + first * out.stride + j;
        a.rows = rows;
        a.n_rows = n;
        table.multiply(a);
      });
    }
  }
}

void small_matmul_transposed(Rows out, ConstRows x, ConstRows w, SmallShape shape, Accumulate accumulate, Isa isa) {
  start(out, shape.n_tokens, shape.k, shape.m, accumulate);
  if (isa == Isa::kRef) {
    const std::vector<float> packed = packed_rows(w, shape.m, shape.k);
    const Weight weight = f32_weight(packed, shape.m, shape.k);
    return ref::matmul_transposed({out, x, &weight, shape.n_tokens, nullptr}, accumulate, 0, shape.n_tokens);
  }
  const GemmTable& table = kernels(isa).gemm;
  for_panels(out, w, shape.m, shape.k, accumulate, table, [&](GemmArguments a, int64_t d) {
    a.rows_offset = d;
    for_rows(x, shape.n_tokens, [&](int64_t first, int64_t n, const float* const* rows) {
      GemmArguments part = a;
      part.out += first * out.stride;
      part.rows = rows;
      part.n_rows = n;
      table.multiply(part);
    });
  });
}

void small_matmul_gradient(Rows d_w, ConstRows d_out, ConstRows x, SmallShape shape, Accumulate accumulate, Isa isa) {
  if (accumulate == Accumulate::kOverwrite && (shape.n_tokens == 0 || isa == Isa::kRef)) fill_zero(d_w, shape.m, shape.k);
  if (isa == Isa::kRef) {
    for (int64_t j = 0; j < shape.m; j++) {  // one row at a time: a WeightGradient has no stride
      const GradientJob row = {
          {d_w.data + j * d_w.stride, 1, shape.k}, {d_out.data + j, d_out.stride}, x, shape.n_tokens, nullptr, nullptr};
      ref::matmul_gradient(row, 0, 1);
    }
    return;
  }
  const GemmTable& table = kernels(isa).gemm;
  for_panels(d_w, x, shape.n_tokens, shape.k, accumulate, table, [&](GemmArguments a, int64_t d) {
    if (a.sums == TileSums::kAdd) a.sums = TileSums::kResume;  // as matmul_gradient
    a.columns = d_out.data + d * d_out.stride;
    a.columns_stride = d_out.stride;
    a.n_rows = shape.m;
    if (a.sums == TileSums::kAdd) a.sums = TileSums::kResume;  // as matmul_gradient
    table.multiply(a);
  });
}

}  // namespace minke
