// What this machine can do at most, measured with the same instructions as the kernels: the number beside every speed.
#pragma once

#include "base/context.h"
#include "base/cpu_info.h"

namespace minke {

// On all threads of the context; 0 for ref.
struct MachinePeaks {
  double fma_gflops = 0;   // f32 multiply-adds in registers, 1e9 operations (2 per multiply-add) per second
  double bf16_gflops = 0;  // the same for products of bf16 into f32, which are f32 multiply-adds where no unit does them
  double int8_gops = 0;    // the same for products of bytes into 32-bit sums
  double read_gbps = 0;    // reading more than the caches hold, 1e9 bytes per second
};

double measure_fma_gflops(const Context& context);
double measure_bf16_gflops(const Context& context);
double measure_int8_gops(const Context& context);
// Reads n_bytes a few times. Once it is done nothing is kept.
double measure_read_gbps(int64_t n_bytes, const Context& context);

// Enough to exceed the last cache, and at most a quarter of available_bytes (0: unknown).
int64_t read_probe_bytes(const CpuInfo& cpu, int64_t available_bytes);

// All of them, in about a second.
MachinePeaks measure_peaks(int64_t read_bytes, const Context& context);

}  // namespace minke
