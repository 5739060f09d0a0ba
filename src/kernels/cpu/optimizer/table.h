// The optimizers' loops, once per instruction set and storage of the numbers. See kernels/optimizer.h for the formulas.
#pragma once

#include <cstdint>

namespace minke {

// How a trained number is stored; the index of the tables below.
enum ValueStorage : uint8_t { kValueF32, kValueBf16, kValueBf16WithMaster, kValueStorages };
enum MomentStorage : uint8_t { kMomentF32, kMomentBf16, kMomentStorages };

struct AdamwArguments {
  void* value;
  float* master;
  void *m, *v;
  const float* grad;
  int64_t n;
  float beta1_rest, beta2, beta2_rest, eps, decay, step_size, inverse_root_correction, grad_scale;  // rest: 1 - beta
};
struct MomentumArguments {
  float* update;
  void* buffer;
  const float* grad;
  int64_t n;
  float momentum, momentum_rest, grad_scale;
  bool nesterov;
};
struct ApplyArguments {
  void* value;
  float* master;
  const float* update;
  int64_t n;
  float decay, step_size;
};

struct OptimizerTable {
  void (*adamw[kValueStorages][kMomentStorages])(const AdamwArguments& arguments);
  void (*momentum[kMomentStorages])(const MomentumArguments& arguments);
  void (*apply_update[kValueStorages])(const ApplyArguments& arguments);
  double (*sum_of_squares)(const float* x, int64_t n);
};

extern const OptimizerTable kAvx2Optimizer;
extern const OptimizerTable kAvx512Optimizer;
extern const OptimizerTable kAvx512VnniOptimizer;

}  // namespace minke
