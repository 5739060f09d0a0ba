// Activations to int8 (kernels/packed/activations.h). Each number is multiplied once and rounded to nearest, ties to even, so
// every instruction set gives the same bits.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/kernel_table.h"

namespace minke {
namespace {

// Below this the inverse of d would not be finite; such a block is 0.
constexpr float kLeastMagnitude = 0x1p-100f;

inline void code_row(uint8_t* out, const float* x, int64_t k) {
  auto put_float = [](uint8_t* at, float value) { std::memcpy(at, &value, sizeof(value)); };
  const int64_t n_blocks = k / 32;
  for (int64_t b = 0; b < n_blocks; b++) {
    const uint32_t bits = largest_magnitude_of_32(x + 32 * b);
    float most;
    std::memcpy(&most, &bits, sizeof(most));
    float d = most / 127, inverse = 127 / most;
    if (bits >= 0x7F800000) {  // an infinity or NaN
      d = std::numeric_limits<float>::quiet_NaN();
      inverse = 0;
    } else if (most < kLeastMagnitude) {
      d = inverse = 0;
    }
    int32_t sums[2];
    code_32(out + 32 * b, sums, x + 32 * b, inverse, bits >= 0x7F800000);
    const uint32_t both = static_cast<uint16_t>(sums[0]) | static_cast<uint32_t>(static_cast<uint16_t>(sums[1])) << 16;
    put_float(out + k + 4 * b, d);
    std::memcpy(out + k + k / 8 + 4 * b, &both, sizeof(both));
    put_float(out + k + k / 4 + 4 * b, d * static_cast<float>(sums[0] + sums[1]));
    put_float(out + k + 3 * (k / 8) + 8 * b, d * static_cast<float>(sums[0]));
    put_float(out + k + 3 * (k / 8) + 8 * b + 4, d * static_cast<float>(sums[1]));
  }
}

}  // namespace
}  // namespace minke
