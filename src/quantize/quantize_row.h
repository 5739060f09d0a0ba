// Quantisers of the block formats. Every scale, minimum and code is searched for the least squared error, weighted per column
// where importances are known: a block's scales first on their own, then the integers and the shared scale of a super-block
// together. Q8_0 is rounded plainly (kernels/convert.h): nothing is left to gain there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/cpu_info.h"
#include "tensor/dtype.h"

namespace minke {

enum class QuantizeFault { kNone, kNotFinite, kTooLarge };

// Weights of a row's columns from importances (the mean square of what each column is multiplied with): relative to their
// mean, and never zero, since a column that the calibration text did not reach is still a column. Negative ones and NaN
// count as zero. Empty when there is nothing to tell columns apart.
std::vector<float> column_weights(const float* importance, int64_t n);

// One row of n values, n a multiple of the dtype's block, to any dtype that is a float or quantised. weights: n positive
// ones, or null. The same bits on every instruction set. What does not fit the dtype, or is not finite, is a fault.
QuantizeFault quantize_weighted_row(std::byte* out, DType dtype, const float* row, const float* weights, int64_t n, Isa isa);

// Magnitudes from here on become infinite in this dtype; infinity where none does.
float overflow_limit(DType dtype);

}  // namespace minke
