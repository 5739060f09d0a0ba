// Plain loops that the compiler vectorises with the flags of the unit: they are bound by memory, and without fused operations
// (-ffp-contract=off) every width gives the same bits.
#pragma once

#include <cstdint>

#include "kernels/cpu/optimizer/table.h"

// No iteration reads what another one writes. clang checks that at run time and warns where it is told and cannot use it.
#if defined(__clang__)
#define MINKE_INDEPENDENT_ITERATIONS
#else
#define MINKE_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace minke {
namespace {

inline float widen_bf16(uint16_t bits) { return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16); }

// Nearest, ties to even; a NaN stays one.
inline uint16_t round_to_bf16(float value) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, value);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded);
}

struct F32Store {
  float* __restrict data;
  F32Store(void* value, float*) : data(static_cast<float*>(value)) {}
  float get(int64_t i) const { return data[i]; }
  void set(int64_t i, float x) const { data[i] = x; }
};
struct Bf16Store {
  uint16_t* __restrict data;
  Bf16Store(void* value, float*) : data(static_cast<uint16_t*>(value)) {}
  float get(int64_t i) const { return widen_bf16(data[i]); }
  void set(int64_t i, float x) const { data[i] = round_to_bf16(x); }
};
struct MasterStore {
  uint16_t* __restrict data;
  float* __restrict master;
  MasterStore(void* value, float* f32) : data(static_cast<uint16_t*>(value)), master(f32) {}
  float get(int64_t i) const { return master[i]; }
  void set(int64_t i, float x) const {
    master[i] = x;
    data[i] = round_to_bf16(x);
  }
};

template <typename Value, typename Moment>
void adamw_range(const AdamwArguments& arguments) {
  const AdamwArguments a = arguments;
  const Value value(a.value, a.master);
  const Moment m(a.m, nullptr), v(a.v, nullptr);
  const float* __restrict grad = a.grad;
  MINKE_INDEPENDENT_ITERATIONS
  for (int64_t i = 0; i < a.n; i++) {
    const float g = a.grad_scale * grad[i];
    const float old_m = m.get(i);
    const float new_m = old_m + a.beta1_rest * (g - old_m);
    const float new_v = a.beta2 * v.get(i) + a.beta2_rest * (g * g);
    const float divisor = __builtin_sqrtf(new_v) * a.inverse_root_correction + a.eps;
    value.set(i, a.decay * value.get(i) - a.step_size * (new_m / divisor));
    m.set(i, new_m);
    v.set(i, new_v);
  }
}

template <typename Moment>
void momentum_range(const MomentumArguments& arguments) {
  const MomentumArguments a = arguments;
  const Moment buffer(a.buffer, nullptr);
  float* __restrict update = a.update;
  const float* __restrict grad = a.grad;
  MINKE_INDEPENDENT_ITERATIONS
  for (int64_t i = 0; i < a.n; i++) {
    const float g = a.grad_scale * grad[i];
    const float old = buffer.get(i);
    const float now = old + a.momentum_rest * (g - old);
    buffer.set(i, now);
    update[i] = a.nesterov ? g + a.momentum * (now - g) : now;
  }
}

template <typename Value>
void apply_range(const ApplyArguments& arguments) {
  const ApplyArguments a = arguments;
  const Value value(a.value, a.master);
  const float* __restrict update = a.update;
  MINKE_INDEPENDENT_ITERATIONS
  for (int64_t i = 0; i < a.n; i++) value.set(i, a.decay * value.get(i) - a.step_size * update[i]);
}

// Vectors of the language, whose lanes are the running sums whatever the width of the machine; four of them hide the latency of
// the additions.
double sum_of_squares_range(const float* x, int64_t n) {
  constexpr int kLanesOfSum = 8, kVectors = 4;
  constexpr int64_t kSums = kLanesOfSum * kVectors;
  using Floats = float __attribute__((vector_size(kLanesOfSum * sizeof(float))));
  using Doubles = double __attribute__((vector_size(kLanesOfSum * sizeof(double))));
  Doubles sums[kVectors] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int vector = 0; vector < kVectors; vector++) {
      Floats part;
      __builtin_memcpy(&part, x + i + vector * kLanesOfSum, sizeof(part));
      const Doubles wide = __builtin_convertvector(part, Doubles);
      sums[vector] += wide * wide;
    }
  }
  for (int lane = 0; i < n; i++, lane++) {
    sums[lane / kLanesOfSum][lane % kLanesOfSum] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  double total = 0;
  for (int lane = 0; lane < kSums; lane++) total += sums[lane / kLanesOfSum][lane % kLanesOfSum];
  return total;
}

constexpr OptimizerTable make_optimizer_table() {
  return {.adamw = {{adamw_range<F32Store, F32Store>, adamw_range<F32Store, Bf16Store>},
                    {adamw_range<Bf16Store, F32Store>, adamw_range<Bf16Store, Bf16Store>},
                    {adamw_range<MasterStore, F32Store>, adamw_range<MasterStore, Bf16Store>}},
          .momentum = {momentum_range<F32Store>, momentum_range<Bf16Store>},
          .apply_update = {apply_range<F32Store>, apply_range<Bf16Store>, apply_range<MasterStore>},
          .sum_of_squares = sum_of_squares_range};
}

}  // namespace
}  // namespace minke
