// Dense rows of f32, `stride` elements apart, and what a product does with what its output holds.
#pragma once

#include <cstdint>

namespace minke {

struct ConstRows {
  const float* data = nullptr;
  int64_t stride = 0;
};
struct Rows {
  float* data = nullptr;
  int64_t stride = 0;
};

enum class Accumulate : uint8_t { kOverwrite, kAdd };

}  // namespace minke
