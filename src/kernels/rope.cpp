#include "kernels/rope.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/ref/ref.h"

namespace minke {
namespace {

// Two products and a sum per element, each rounded once to f32; the table decides the accuracy. The rotation is below a
// thousandth of a layer's work, so there is one f32 form for all instruction sets.
void rotate(float* x, const float* cos, const float* sin, int64_t rope_dim, RopeLayout layout) {
  const int64_t half = rope_dim / 2;
  if (layout == RopeLayout::kInterleaved) {
    for (int64_t i = 0; i < half; i++) {
      const float u = x[2 * i], v = x[2 * i + 1];
      x[2 * i] = u * cos[i] - v * sin[i];
      x[2 * i + 1] = u * sin[i] + v * cos[i];
    }
  } else {
    for (int64_t i = 0; i < half; i++) {
      const float u = x[i], v = x[i + half];
      x[i] = u * cos[i] - v * sin[i];
      x[i + half] = u * sin[i] + v * cos[i];
    }
  }
}

}  // namespace

void apply_rope(float* x, const int64_t* positions, const RopeTable& table, const RopeShape& shape, RopeLayout layout,
                const Context& context) {
  CHECK(table.rope_dim >= 0 && table.rope_dim % 2 == 0, "rope_dim = {}", table.rope_dim);
  CHECK(shape.n_tokens >= 0 && shape.n_heads >= 0 && shape.offset >= 0, "[{}, {}] heads at {}", shape.n_tokens, shape.n_heads,
        shape.offset);
  CHECK(shape.n_heads <= 1 || shape.head_stride >= shape.offset + table.rope_dim, "head_stride = {}, offset {} + rope_dim {}",
        shape.head_stride, shape.offset, table.rope_dim);
  const int64_t half = table.rope_dim / 2;
  auto turn = context.isa == Isa::kRef ? ref::rotate : rotate;
  const int64_t grain = std::max(int64_t{4096} / std::max(shape.n_heads * table.rope_dim, int64_t{1}), int64_t{1});
  context.parallel_for(shape.n_tokens, grain, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      const int64_t pos = positions[t];
      CHECK(pos >= 0 && pos < table.n_positions, "position {} of token {}, table of {}", pos, t, table.n_positions);
      for (int64_t head = 0; head < shape.n_heads; head++) {
        float* start = x + t * shape.token_stride + head * shape.head_stride + shape.offset;
        turn(start, table.cos + pos * half, table.sin + pos * half, table.rope_dim, layout);
      }
    }
  });
}

}  // namespace minke
