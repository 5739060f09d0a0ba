// Operations on one row, over the vectors of vec_*.h: norm, SwiGLU, maximum, exponentials. A sum has one vector accumulator
// and the lane order of lane_sum(), so it depends on the row alone.
#pragma once

#include <cstdint>

namespace minke {
namespace {

// exp(x) = 2^n * exp(r), n = round(x / ln 2), r = x - n ln 2, |r| <= 0.347. exp(r) is its Taylor polynomial of degree 7: the
// first term left out is r^8/8! < 5.2e-9, an eleventh of half an ulp. ln 2 is split so that n * (high part) is exact.
// Below -104 the result is 0 even as a subnormal, above 89 it is infinity, so clamping there loses nothing; NaN stays NaN.
inline Vec exponential(Vec x) {
  // minimum and maximum return their second argument if there is a NaN.
  x = minimum(broadcast(89.0f), maximum(broadcast(-104.0f), x));
  const Vec n = round_to_integer(multiply(x, broadcast(1.44269504f)));
  Vec r = multiply_add(n, broadcast(-0.693359375f), x);  // 355/512
  r = multiply_add(n, broadcast(2.12194440e-4f), r);     // 355/512 - ln 2
  Vec p = broadcast(1.0f / 5040);
  p = multiply_add(p, r, broadcast(1.0f / 720));
  p = multiply_add(p, r, broadcast(1.0f / 120));
  p = multiply_add(p, r, broadcast(1.0f / 24));
  p = multiply_add(p, r, broadcast(1.0f / 6));
  p = multiply_add(p, r, broadcast(0.5f));
  p = multiply_add(p, r, broadcast(1.0f));
  p = multiply_add(p, r, broadcast(1.0f));
  return times_power_of_two(p, n);
}

// Calls each(offset, n) for whole vectors (n = 0) and then for the 1 .. kLanes-1 elements that are left.
template <typename Each>
inline void for_vectors(int64_t n, Each each) {
  int64_t c = 0;
  for (; c + kLanes <= n; c += kLanes) each(c, int64_t{0});
  if (c < n) each(c, n - c);
}

inline Vec load_part(const float* p, int64_t n) { return n > 0 ? load_first(p, n, zero()) : load(p); }
inline void store_part(float* p, int64_t n, Vec v) {
  if (n > 0) {
    store_first(p, n, v);
  } else {
    store(p, v);
  }
}

void rms_norm_row(float* out, const float* x, const float* weight, int64_t dim, float eps) {
  Vec squares = zero();
  for_vectors(dim, [&](int64_t c, int64_t n) {
    const Vec v = load_part(x + c, n);
    squares = multiply_add(v, v, squares);
  });
  const Vec rstd = broadcast(1.0f / __builtin_sqrtf(lane_sum(squares) / static_cast<float>(dim) + eps));
  for_vectors(dim, [&](int64_t c, int64_t n) {
    store_part(out + c, n, multiply(multiply(load_part(x + c, n), rstd), load_part(weight + c, n)));
  });
}

void swiglu(float* out, const float* gate, const float* up, int64_t n_elements) {
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    const Vec g = load_part(gate + c, n);
    const Vec silu = divide(g, add(broadcast(1.0f), exponential(subtract(zero(), g))));
    store_part(out + c, n, multiply(silu, load_part(up + c, n)));
  });
}

// NaNs are passed over: exp_row brings them back.
float row_max(const float* x, int64_t n_elements) {
  const Vec lowest = broadcast(-__builtin_inff());
  Vec max = lowest;
  for_vectors(n_elements,
              [&](int64_t c, int64_t n) { max = maximum(n > 0 ? load_first(x + c, n, lowest) : load(x + c), max); });
  return lane_maximum(max);
}

// The sum of the exponentials; each(c, n, e) may keep them.
template <typename Each>
inline float exponential_sum(const float* x, float max, int64_t n_elements, Each each) {
  Vec sum = zero();
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    const Vec e = exponential(subtract(load_part(x + c, n), broadcast(max)));
    each(c, n, e);
    sum = add(sum, n > 0 ? select_first(n, e, zero()) : e);
  });
  return lane_sum(sum);
}

float exp_row(float* out, const float* x, float max, int64_t n_elements) {
  return exponential_sum(x, max, n_elements, [&](int64_t c, int64_t n, Vec e) { store_part(out + c, n, e); });
}

float exp_sum(const float* x, float max, int64_t n_elements) {
  return exponential_sum(x, max, n_elements, [](int64_t, int64_t, Vec) {});
}

void add_row(float* out, const float* a, const float* b, int64_t n_elements) {
  for_vectors(n_elements, [&](int64_t c, int64_t n) { store_part(out + c, n, add(load_part(a + c, n), load_part(b + c, n))); });
}

void scale_row(float* out, const float* x, float factor, int64_t n_elements) {
  const Vec f = broadcast(factor);
  for_vectors(n_elements, [&](int64_t c, int64_t n) { store_part(out + c, n, multiply(f, load_part(x + c, n))); });
}

void axpy_row(float* out, float factor, const float* x, int64_t n_elements) {
  const Vec f = broadcast(factor);
  for_vectors(n_elements, [&](int64_t c, int64_t n) {
    store_part(out + c, n, add(load_part(out + c, n), multiply(f, load_part(x + c, n))));
  });
}

}  // namespace
}  // namespace minke
