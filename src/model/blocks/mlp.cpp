#include "model/blocks/mlp.h"

#include "kernels/activation.h"

namespace minke {

bool reads_coded(const MlpWeights& w) { return w.gate_proj.weight.is_packed || w.up_proj.weight.is_packed; }

void mlp(float* out, const Activations& x, const MlpWeights& w, const Step& step) {
  int64_t n = step.n_tokens, width = w.gate_proj.weight.n_rows;
  float* gate = step.arena.allocate<float>(n * width);  // [n_tokens, intermediate_size]
  float* up = step.arena.allocate<float>(n * width);    // [n_tokens, intermediate_size]
  if (w.gate_proj.bias.empty() && w.up_proj.bias.empty()) {
    const GatedProduct both = {{gate, width}, {up, width}, &x, &w.gate_proj.weight, &w.up_proj.weight, n, nullptr};
    multiply_gated({&both, 1}, step);
  } else {
    linear({{gate, w.gate_proj}, {up, w.up_proj}}, x, step);
    swiglu(gate, gate, up, n * width, step.context);
  }
  linear(out, activations(gate, n, width, w.down_proj.weight.is_packed, step), w.down_proj, step);
}

}  // namespace minke
