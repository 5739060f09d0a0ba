// Compiled with the flags of kernels_avx512.cpp and -mavx512bf16; runs only where cpu_info found them.
// The order of includes matters: the bodies are written over the vectors.
// clang-format off
#include "kernels/cpu/vec_avx512.h"
#include "kernels/cpu/packed/ints_avx512.h"
#include "kernels/cpu/packed/bf16.h"
#include "kernels/cpu/packed/pair_probe.h"
// clang-format on

namespace minke {

constexpr Bf16Unit kAvx512Bf16Unit = {.multiply = multiply_packed_bf16, .pair_dot_steps = pair_dot_steps};

}  // namespace minke
