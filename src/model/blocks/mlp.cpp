#include "model/blocks/mlp.h"

#include "kernels/activation.h"

namespace minke {

Codings codings_of(const MlpWeights& w) { return codings_of(w.gate_proj.weight) | codings_of(w.up_proj.weight); }

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
  linear(out, activations(gate, n, width, codings_of(w.down_proj.weight), step), w.down_proj, step);
}

}  // namespace minke
