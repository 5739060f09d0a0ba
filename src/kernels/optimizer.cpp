#include "kernels/optimizer.h"

#include "base/check.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/optimizer/table.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

MomentStorage moment_storage(MutableFloats floats) {
  CHECK(floats.dtype == DType::kF32 || floats.dtype == DType::kBF16, "optimizer state in {}", dtype_name(floats.dtype));
  return floats.dtype == DType::kF32 ? kMomentF32 : kMomentBf16;
}

ValueStorage value_storage(const TrainedValues& values) {
  const DType dtype = values.value.dtype;
  CHECK(dtype == DType::kF32 || dtype == DType::kBF16, "trained numbers in {}", dtype_name(dtype));
  CHECK(dtype == DType::kBF16 || values.master == nullptr, "f32 numbers with a master");
  if (dtype == DType::kF32) return kValueF32;
  return values.master == nullptr ? kValueBf16 : kValueBf16WithMaster;
}

float f32(double value) { return static_cast<float>(value); }

}  // namespace

void adamw(const TrainedValues& values, MutableFloats m, MutableFloats v, const float* grad, int64_t n,
           const AdamwNumbers& numbers, Isa isa) {
  const ValueStorage value = value_storage(values);
  const MomentStorage moment = moment_storage(m);
  CHECK(n >= 0 && m.dtype == v.dtype, "n = {}, m {}, v {}", n, dtype_name(m.dtype), dtype_name(v.dtype));
  if (isa == Isa::kRef) return ref::adamw(values, m, v, grad, n, numbers);
  optimizer_kernels(isa).adamw[value][moment]({.value = values.value.data,
                                               .master = values.master,
                                               .m = m.data,
                                               .v = v.data,
                                               .grad = grad,
                                               .n = n,
                                               .beta1_rest = f32(1 - numbers.beta1),
                                               .beta2 = f32(numbers.beta2),
                                               .beta2_rest = f32(1 - numbers.beta2),
                                               .eps = f32(numbers.eps),
                                               .decay = f32(numbers.decay),
                                               .step_size = f32(numbers.step_size),
                                               .inverse_root_correction = f32(numbers.inverse_root_correction),
                                               .grad_scale = f32(numbers.grad_scale)});
}

void momentum(float* update, MutableFloats buffer, const float* grad, int64_t n, const MomentumNumbers& numbers, Isa isa) {
  const MomentStorage storage = moment_storage(buffer);
  CHECK(n >= 0, "n = {}", n);
  if (isa == Isa::kRef) return ref::momentum(update, buffer, grad, n, numbers);
  optimizer_kernels(isa).momentum[storage]({.update = update,
                                            .buffer = buffer.data,
                                            .grad = grad,
                                            .n = n,
                                            .momentum = f32(numbers.momentum),
                                            .momentum_rest = f32(1 - numbers.momentum),
                                            .grad_scale = f32(numbers.grad_scale),
                                            .nesterov = numbers.nesterov});
}

void apply_update(const TrainedValues& values, const float* update, int64_t n, double decay, double step_size, Isa isa) {
  const ValueStorage storage = value_storage(values);
  CHECK(n >= 0, "n = {}", n);
  if (isa == Isa::kRef) return ref::apply_update(values, update, n, decay, step_size);
  optimizer_kernels(isa).apply_update[storage]({.value = values.value.data,
                                                .master = values.master,
                                                .update = update,
                                                .n = n,
                                                .decay = f32(decay),
                                                .step_size = f32(step_size)});
}

double sum_of_squares(const float* x, int64_t n, Isa isa) {
  CHECK(n >= 0, "n = {}", n);
  return isa == Isa::kRef ? ref::sum_of_squares(x, n) : optimizer_kernels(isa).sum_of_squares(x, n);
}

}  // namespace minke
