#include <cmath>
#include <limits>

#include "kernels/ref/ref.h"

namespace minke::ref {
namespace {

struct MaxAndSum {
  double max, sum;  // sum of exp(x - max)
};

// A NaN anywhere, +inf, or nothing but -inf makes the sum NaN.
MaxAndSum max_and_sum(const float* x, int64_t n) {
  double max = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t c = 0; c < n; c++) max = std::fmax(max, x[c]);
  for (int64_t c = 0; c < n; c++) sum += std::exp(x[c] - max);
  return {max, sum};
}

}  // namespace

void rms_norm_row(float* out, const float* x, const float* weight, int64_t dim, float eps) {
  double squares = 0;
  for (int64_t c = 0; c < dim; c++) squares += double{x[c]} * double{x[c]};
  const double rstd = 1.0 / std::sqrt(squares / static_cast<double>(dim) + double{eps});
  for (int64_t c = 0; c < dim; c++) out[c] = static_cast<float>(x[c] * rstd * double{weight[c]});
}

void swiglu(float* out, const float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const double g = gate[i];
    out[i] = static_cast<float>(g / (1.0 + std::exp(-g)) * double{up[i]});
  }
}

// In f32, so that the bits are those of every other level.
void add_row(float* out, const float* a, const float* b, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

void scale_row(float* out, const float* x, float factor, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = factor * x[i];
}

void axpy_row(float* out, float factor, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] += factor * x[i];
}

void softmax_row(float* out, const float* x, int64_t dim) {
  const auto [max, sum] = max_and_sum(x, dim);
  for (int64_t c = 0; c < dim; c++) out[c] = static_cast<float>(std::exp(x[c] - max) / sum);
}

void log_softmax_row(float* out, const float* x, int64_t dim) {
  const auto [max, sum] = max_and_sum(x, dim);
  const double log_sum = std::log(sum);
  for (int64_t c = 0; c < dim; c++) out[c] = static_cast<float>(x[c] - max - log_sum);
}

float entropy_row(const float* x, int64_t dim) {
  const auto [max, sum] = max_and_sum(x, dim);
  double weighted = 0;
  for (int64_t c = 0; c < dim; c++) weighted += (x[c] - max) * std::exp(x[c] - max);
  return static_cast<float>(std::log(sum) - weighted / sum);
}

void rotate(float* x, const float* cos, const float* sin, int64_t rope_dim, RopeLayout layout) {
  const int64_t half = rope_dim / 2;
  for (int64_t i = 0; i < half; i++) {
    float& first = layout == RopeLayout::kInterleaved ? x[2 * i] : x[i];
    float& second = layout == RopeLayout::kInterleaved ? x[2 * i + 1] : x[i + half];
    const double u = first, v = second, c = cos[i], s = sin[i];
    first = static_cast<float>(u * c - v * s);
    second = static_cast<float>(u * s + v * c);
  }
}

}  // namespace minke::ref
