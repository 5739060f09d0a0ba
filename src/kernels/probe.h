// What this machine can do at most, measured with the same instructions as the kernels: the number beside every speed.
#pragma once

#include "base/context.h"

namespace minke {

// Multiply-adds in registers on all threads of the context, in 1e9 operations (2 per multiply-add) per second. 0 for ref.
double measure_peak_gflops(const Context& context);
// Reading n_bytes (more than the caches hold) on all threads, in 1e9 bytes per second. 0 for ref.
double measure_read_gbps(int64_t n_bytes, const Context& context);

}  // namespace minke
