#include <cmath>

#include "kernels/ref/ref.h"

namespace minke::ref {

float rms_norm_backward_row(float* d_x, const float* d_out, const float* x, const float* weight, int64_t dim, float eps) {
  double squares = 0, products = 0;
  for (int64_t c = 0; c < dim; c++) {
    squares += double{x[c]} * double{x[c]};
    products += double{d_out[c]} * double{weight[c]} * double{x[c]};
  }
  const double n = static_cast<double>(dim), rstd = 1.0 / std::sqrt(squares / n + double{eps});
  for (int64_t c = 0; c < dim; c++) {
    d_x[c] = static_cast<float>(d_x[c] + rstd * weight[c] * d_out[c] - x[c] * rstd * rstd * rstd * products / n);
  }
  return static_cast<float>(rstd);
}

void swiglu_backward(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const double d = d_out[i], g = gate[i], s = 1.0 / (1.0 + std::exp(-g));
    d_gate[i] = static_cast<float>(d * up[i] * s * (1.0 + g * (1.0 - s)));
    d_up[i] = static_cast<float>(d * g * s);
  }
}

void softmax_backward_row(float* d, const float* p, float factor, int64_t n) {
  double mean = 0;
  for (int64_t c = 0; c < n; c++) mean += double{p[c]} * double{d[c]};
  for (int64_t c = 0; c < n; c++) d[c] = static_cast<float>(double{factor} * p[c] * (d[c] - mean));
}

float dot_row(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t c = 0; c < n; c++) sum += double{a[c]} * double{b[c]};
  return static_cast<float>(sum);
}

void add_product(float* out, const float* a, const float* b, float factor, int64_t n) {
  for (int64_t c = 0; c < n; c++) out[c] = static_cast<float>(out[c] + double{factor} * a[c] * b[c]);
}

float cross_entropy_row(float* logits, int32_t target, const float* weight, int64_t dim, const KernelTable*) {
  double max = logits[0], sum = 0;
  for (int64_t c = 1; c < dim; c++) max = std::fmax(max, logits[c]);
  for (int64_t c = 0; c < dim; c++) sum += std::exp(logits[c] - max);
  const double loss = max + std::log(sum) - logits[target];
  if (weight != nullptr) {
    for (int64_t c = 0; c < dim; c++) {
      logits[c] = static_cast<float>(double{*weight} * (std::exp(logits[c] - max) / sum - (c == target ? 1.0 : 0.0)));
    }
  }
  return static_cast<float>(loss);
}

}  // namespace minke::ref
