#include "kernels/optimizer.h"

#include <cmath>
#include <cstring>

#include "kernels/convert.h"
#include "kernels/ref/ref.h"

namespace minke::ref {
namespace {

double get(MutableFloats floats, int64_t i) {
  float value;
  const size_t bytes = dtype_info(floats.dtype).block_bytes;
  dequantize_row(&value, floats.dtype, floats.data + static_cast<size_t>(i) * bytes, 1);
  return value;
}

void set(MutableFloats floats, int64_t i, double value) {
  const float rounded = static_cast<float>(value);
  const size_t bytes = dtype_info(floats.dtype).block_bytes;
  quantize_row(floats.data + static_cast<size_t>(i) * bytes, floats.dtype, &rounded, 1);
}

double get(const TrainedValues& values, int64_t i) {
  return values.master != nullptr ? double{values.master[i]} : get(values.value, i);
}

void set(const TrainedValues& values, int64_t i, double value) {
  if (values.master != nullptr) values.master[i] = static_cast<float>(value);
  set(values.value, i, values.master != nullptr ? double{values.master[i]} : value);
}

}  // namespace

void adamw(const TrainedValues& values, MutableFloats m, MutableFloats v, const float* grad, int64_t n,
           const AdamwNumbers& numbers) {
  for (int64_t i = 0; i < n; i++) {
    const double g = numbers.grad_scale * grad[i];
    const double new_m = get(m, i) + (1 - numbers.beta1) * (g - get(m, i));
    const double new_v = numbers.beta2 * get(v, i) + (1 - numbers.beta2) * g * g;
    const double divisor = std::sqrt(new_v) * numbers.inverse_root_correction + numbers.eps;
    set(values, i, numbers.decay * get(values, i) - numbers.step_size * new_m / divisor);
    set(m, i, new_m);
    set(v, i, new_v);
  }
}

void momentum(float* update, MutableFloats buffer, const float* grad, int64_t n, const MomentumNumbers& numbers) {
  for (int64_t i = 0; i < n; i++) {
    const double g = numbers.grad_scale * grad[i];
    const double now = get(buffer, i) + (1 - numbers.momentum) * (g - get(buffer, i));
    update[i] = static_cast<float>(numbers.nesterov ? g + numbers.momentum * (now - g) : now);
    set(buffer, i, now);
  }
}

void apply_update(const TrainedValues& values, const float* update, int64_t n, double decay, double step_size) {
  for (int64_t i = 0; i < n; i++) set(values, i, decay * get(values, i) - step_size * update[i]);
}

double sum_of_squares(const float* x, int64_t n) {
  double sums[32] = {}, total = 0;
  for (int64_t i = 0; i < n; i++) sums[i % 32] += double{x[i]} * double{x[i]};
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace minke::ref
