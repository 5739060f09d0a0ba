// Backward passes on one row, over the vectors of vec_*.h; the formulas are in kernels/backward.h. Sums are like those of
// row_body.h: one vector accumulator, then the lane order of lane_sum().
#pragma once

#include <cstdint>

#include "kernels/cpu/row_body.h"

namespace minke {
namespace {

float dot_row(const float* a, const float* b, int64_t n_elements) {
  Vec sum = zero();
  for_vectors(n_elements, [&](int64_t c, int64_t n) { sum = multiply_add(load_part(a + c, n), load_part(b + c, n), sum); });
  return lane_sum(sum);
}

float rms_norm_backward_row(float* d_x, const float* d_out, const float* x, const float* weight, int64_t dim, float eps) {
  Vec squares = zero(), products = zero();
  for_vectors(dim, [&](int64_t c, int64_t n) {
    const Vec v = load_part(x + c, n);
    squares = multiply_add(v, v, squares);
    products = multiply_add(multiply(load_part(d_out + c, n), load_part(weight + c, n)), v, products);
  });
  const float width = static_cast<float>(dim);
  const float rstd = 1.0f / __builtin_sqrtf(lane_sum(squares) / width + eps);
  const Vec along = broadcast(-rstd * rstd * rstd * (lane_sum(products) / width)), across = broadcast(rstd);
  for_vectors(dim, [&](int64_t c, int64_t n) {
    const Vec scaled = multiply(load_part(d_out + c, n), load_part(weight + c, n));
    const Vec gradient = multiply_add(across, scaled, multiply(along, load_part(x + c, n)));
    store_part(d_x + c, n, add(load_part(d_x + c, n), gradient));
  });
  return rstd;
}

void swiglu_backward(float* d_gate, float* d_up, const float* d_out, const float* gate, const float* up, int64_t n_elements) {
  const Vec one = broadcast(1.0f);
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    const Vec g = load_part(gate + c, n), u = load_part(up + c, n), d = load_part(d_out + c, n);
    const Vec sigmoid = divide(one, add(one, exponential(subtract(zero(), g))));
    const Vec slope = multiply(sigmoid, multiply_add(g, subtract(one, sigmoid), one));
    store_part(d_up + c, n, multiply(d, multiply(g, sigmoid)));
    store_part(d_gate + c, n, multiply(multiply(d, u), slope));
  });
}

void softmax_backward_row(float* d, const float* p, float factor, int64_t n_elements) {
  const Vec mean = broadcast(dot_row(p, d, n_elements)), f = broadcast(factor);
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    store_part(d + c, n, multiply(multiply(f, load_part(p + c, n)), subtract(load_part(d + c, n), mean)));
  });
}

void add_product(float* out, const float* a, const float* b, float factor, int64_t n_elements) {
  const Vec f = broadcast(factor);
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    const Vec scaled = multiply(f, load_part(a + c, n));
    store_part(out + c, n, multiply_add(scaled, load_part(b + c, n), load_part(out + c, n)));
  });
}

}  // namespace
}  // namespace minke
