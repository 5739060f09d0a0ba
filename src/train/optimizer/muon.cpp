#include "train/optimizer/muon.h"

#include <algorithm>
#include <cmath>

#include "kernels/matmul.h"
#include "kernels/optimizer.h"

namespace minke {
namespace {

// They make the slope at 0 as steep as can be while singular values stay in about 0.7 to 1.2 (Jordan's post).
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;
constexpr double kLeastNorm = 1e-7;
constexpr int64_t kTile = 32;
constexpr int64_t kGrain = 8192;

// out [n_cols, n_rows] = x^T, in tiles that fit into L1.
void transpose(float* out, const float* x, int64_t n_rows, int64_t n_cols, const Context& context) {
  context.parallel_for(n_rows, kTile, [&](int64_t begin, int64_t end) {
    for (int64_t r0 = begin; r0 < end; r0 += kTile) {
      for (int64_t c0 = 0; c0 < n_cols; c0 += kTile) {
        for (int64_t c = c0; c < std::min(c0 + kTile, n_cols); c++) {
          for (int64_t r = r0; r < std::min(r0 + kTile, end); r++) out[c * n_rows + r] = x[r * n_cols + c];
        }
      }
    }
  });
}

// out = p * x + q * y, element by element; out may be either.
void combine(float* out, float p, const float* x, float q, const float* y, int64_t n, const Context& context) {
  context.parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) out[i] = p * x[i] + q * y[i];
  });
}

Weight f32_weight(const float* data, int64_t n_rows, int64_t n_cols) {
  return {.dtype = DType::kF32, .n_rows = n_rows, .n_cols = n_cols, .data = reinterpret_cast<const std::byte*>(data)};
}

// x [n, k] with n <= k.
void iterate(float* x, int64_t n, int64_t k, int n_iterations, Arena& arena, const Context& context) {
  float* gram = arena.allocate<float>(n * n);
  float* square = arena.allocate<float>(n * n);
  float* product = arena.allocate<float>(n * k);
  for (int i = 0; i < n_iterations; i++) {
    matmul(gram, x, f32_weight(x, n, k), n, context);
    matmul(square, gram, f32_weight(gram, n, n), n, context);  // symmetric, so rows serve as columns
    combine(gram, kB, gram, kC, square, n * n, context);
    matmul_transposed(product, gram, f32_weight(x, n, k), n, context);
    combine(x, kA, x, 1.0f, product, n * k, context);
  }
}

}  // namespace

double muon_scale(MuonScale scale, int64_t n_rows, int64_t n_cols) {
  const auto rows = static_cast<double>(n_rows), cols = static_cast<double>(n_cols);
  if (scale == MuonScale::kSpectral) return std::sqrt(std::max(1.0, rows / cols));
  return 0.2 * std::sqrt(std::max(rows, cols));
}

void orthogonalize(float* x, int64_t n_rows, int64_t n_cols, int n_iterations, Arena& arena, const Context& context) {
  const Arena::Mark mark = arena.mark();
  const int64_t n = n_rows * n_cols;
  const double norm = std::sqrt(sum_of_squares(x, n, context.isa));
  const auto inverse = static_cast<float>(1.0 / std::max(norm, kLeastNorm));
  combine(x, inverse, x, 0.0f, x, n, context);
  if (n_rows <= n_cols) {
    iterate(x, n_rows, n_cols, n_iterations, arena, context);
  } else {
    float* turned = arena.allocate<float>(n);
    transpose(turned, x, n_rows, n_cols, context);
    iterate(turned, n_cols, n_rows, n_iterations, arena, context);
    transpose(x, turned, n_cols, n_rows, context);
  }
  arena.rewind(mark);
}

}  // namespace minke
