#include "model/blocks/mlp.h"

#include "kernels/activation.h"

namespace minke {

void mlp(float* out, const float* x, const MlpWeights& w, int64_t n_tokens, Arena& arena, const Context& context) {
  int64_t width = w.gate_proj.weight.n_rows;
  float* gate = arena.allocate<float>(n_tokens * width);  // [n_tokens, intermediate_size]
  float* up = arena.allocate<float>(n_tokens * width);    // [n_tokens, intermediate_size]
  linear(gate, x, w.gate_proj, n_tokens, context);
  linear(up, x, w.up_proj, n_tokens, context);
  swiglu(gate, gate, up, n_tokens * width, context);
  linear(out, gate, w.down_proj, n_tokens, context);
}

}  // namespace minke
