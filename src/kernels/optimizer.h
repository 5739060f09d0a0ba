// The elementwise part of the optimizers, and the sum of squares of a gradient. Each call works on one range, on the caller's
// thread: train/optimizer cuts all parameters into ranges and spreads them over threads.
//   adamw         g = grad_scale * grad;  m += (1 - beta1)(g - m);  v = beta2 v + (1 - beta2) g^2
//                 value = decay * value - step_size * m / (sqrt(v) * inverse_root_correction + eps)
//   momentum      g = grad_scale * grad;  buffer += (1 - momentum)(g - buffer);  update = g + momentum (buffer - g) | buffer
//   apply_update  value = decay * value - step_size * update
// AdamW: Loshchilov and Hutter (arXiv 1711.05101); the momentum of Muon in the normalised form that PyTorch uses.
// Apart from the scalar definition each operation is rounded to f32 once and none are fused, so that every instruction set
// gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/cpu_info.h"
#include "tensor/dtype.h"

namespace minke {

// Numbers stored as f32 or bf16.
struct MutableFloats {
  std::byte* data = nullptr;
  DType dtype = DType::kF32;
};

// Trained numbers. bf16 ones may have an f32 master: the update then works on the master and the value is its rounding.
struct TrainedValues {
  MutableFloats value;
  float* master = nullptr;
};

struct AdamwNumbers {
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double decay = 1.0;                    // 1 - lr * weight_decay
  double step_size = 0.0;                // lr / (1 - beta1^step)
  double inverse_root_correction = 1.0;  // (1 - beta2^step)^-1/2
  double grad_scale = 1.0;               // of clipping
};
// m and v have the same dtype.
void adamw(const TrainedValues& values, MutableFloats m, MutableFloats v, const float* grad, int64_t n,
           const AdamwNumbers& numbers, Isa isa);

struct MomentumNumbers {
  double momentum = 0.95;
  bool nesterov = true;
  double grad_scale = 1.0;
};
void momentum(float* update, MutableFloats buffer, const float* grad, int64_t n, const MomentumNumbers& numbers, Isa isa);

void apply_update(const TrainedValues& values, const float* update, int64_t n, double decay, double step_size, Isa isa);

// In f64: 32 running sums, element i in sum i % 32, added in order at the end; the same bits everywhere. Not finite when an
// element is not.
double sum_of_squares(const float* x, int64_t n, Isa isa);

}  // namespace minke
