#include "model/blocks/mlp.h"

#include "kernels/activation.h"
#include "kernels/backward.h"

namespace minke {

Codings codings_of(const MlpWeights& w) { return codings_of(w.gate_proj.weight) | codings_of(w.up_proj.weight); }

bool has_adapter(const MlpWeights& w) {
  return w.gate_proj.adapter != nullptr || w.up_proj.adapter != nullptr || w.down_proj.adapter != nullptr;
}

void mlp(float* out, const Activations& x, const MlpWeights& w, const Step& step) {
  int64_t n = step.n_tokens, width = w.gate_proj.weight.n_rows;
  float* gate = step.arena.allocate<float>(n * width);  // [n_tokens, intermediate_size]
  float* up = step.keep<float>(n * width);              // [n_tokens, intermediate_size]
  if (step.saved != nullptr) {
    step.saved->mlp = {step.keep<float>(n * width), up};
    linear({{step.saved->mlp.gate, w.gate_proj}, {up, w.up_proj}}, x, step);
    swiglu(gate, step.saved->mlp.gate, up, n * width, step.context);
  } else if (w.gate_proj.bias.empty() && w.up_proj.bias.empty() && !has_adapter(w)) {
    const GatedProduct both = {{gate, width}, {up, width}, &x, &w.gate_proj.weight, &w.up_proj.weight, n, nullptr};
    multiply_gated({&both, 1}, step);
  } else {
    linear({{gate, w.gate_proj}, {up, w.up_proj}}, x, step);
    swiglu(gate, gate, up, n * width, step.context);
  }
  linear(out, activations(gate, n, width, codings_of(w.down_proj.weight), step), w.down_proj, step);
}

void mlp_backward(float* d_x, const float* d_out, const SavedMlp& saved, const float* x, const MlpWeights& w, int64_t n_rows,
                  const Step& step) {
  const int64_t size = n_rows * w.gate_proj.weight.n_rows;
  const Arena::Mark mark = step.arena.mark();
  float* inner = step.arena.allocate<float>(size);  // [n_rows, intermediate_size]
  swiglu(inner, saved.gate, saved.up, size, step.context);
  float* d_up = zeros(size, step);
  linear_backward(d_up, d_out, inner, w.down_proj, n_rows, step);
  float* d_gate = inner;
  swiglu_backward(d_gate, d_up, d_up, saved.gate, saved.up, size, step.context);
  linear_backward(d_x, d_gate, x, w.gate_proj, n_rows, step);
  linear_backward(d_x, d_up, x, w.up_proj, n_rows, step);
  step.arena.rewind(mark);
}

}  // namespace minke
