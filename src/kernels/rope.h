// Rotary position encoding, in place: plane i of a head is turned by the angle of (position, i):
//   (u, v) -> (u cos - v sin, u sin + v cos)
// kInterleaved (DeepSeek, GGUF "norm"): plane i = elements (2i, 2i+1). kHalf (HF Llama, Qwen): elements (i, i + rope_dim/2).
// Tables come from outside (YaRN and the like change angles and magnitude, not this rotation).
#pragma once

#include <cstdint>

#include "base/context.h"

namespace minke {

enum class RopeLayout : uint8_t { kInterleaved, kHalf };

struct RopeTable {
  const float* cos = nullptr;  // [n_positions, rope_dim / 2]
  const float* sin = nullptr;  // [n_positions, rope_dim / 2]
  int64_t n_positions = 0;
  int64_t rope_dim = 0;
};

// Where the rotated elements lie: token t, head h starts at t * token_stride + h * head_stride + offset.
struct RopeShape {
  int64_t n_tokens = 0;
  int64_t n_heads = 1;
  int64_t token_stride = 0;
  int64_t head_stride = 0;
  int64_t offset = 0;  // MLA queries: qk_nope_head_dim
};

// positions [n_tokens], each in [0, table.n_positions).
void apply_rope(float* x, const int64_t* positions, const RopeTable& table, const RopeShape& shape, RopeLayout layout,
                const Context& context);

}  // namespace minke
