#include "model/blocks/layer.h"

#include "kernels/backward.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"
#include "model/blocks/attention_gqa.h"
#include "model/blocks/attention_mla.h"
#include "model/blocks/mlp.h"
#include "model/blocks/moe.h"

namespace minke {
namespace {

float eps_of(const Step& step) { return static_cast<float>(step.config.rms_norm_eps); }

// hidden += residual_multiplier * post_norm(part). Returns the part before its norm when a backward pass will want it.
float* add_residual(float* hidden, float* part, const Vector& post_norm, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens * c.hidden_size;
  float* plain = nullptr;
  if (!post_norm.empty()) {
    plain = keep_copy(part, n, step);
    rms_norm(part, part, post_norm.data(), step.n_tokens, c.hidden_size, eps_of(step), step.context);
  }
  if (c.residual_multiplier == 1.0) {
    add(hidden, hidden, part, n, step.context);
  } else {
    axpy(hidden, static_cast<float>(c.residual_multiplier), part, n, step.context);
  }
  return plain;
}

// The gradient by the part that add_residual added: new scratch [n_tokens, hidden_size].
float* residual_backward(const float* d_hidden, const float* plain, const Vector& post_norm, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t n = step.n_tokens, dim = c.hidden_size;
  float* d_part = step.arena.allocate<float>(n * dim);
  scale(d_part, d_hidden, static_cast<float>(c.residual_multiplier), n * dim, step.context);
  if (post_norm.empty()) return d_part;
  float* d_plain = zeros(n * dim, step);
  rms_norm_backward({d_plain, dim}, post_norm.gradient, {d_part, dim}, {plain, dim}, post_norm.data(), n, dim, eps_of(step),
                    step.context);
  return d_plain;
}

// What the first projections read.
Codings codings_of(const AttentionWeights& w) {
  Codings codings;
  for (const Linear* linear : {&w.q_proj, &w.k_proj, &w.v_proj, &w.q_a_proj, &w.kv_a_proj}) {
    codings = codings | codings_of(linear->weight);
  }
  return codings;
}

// One half of a layer backwards: `part` adds to d_normed its gradient from d_part, given the normalised rows.
template <typename Part>
void half_backward(float* d_hidden, const float* x, const float* plain, const Vector& norm, const Vector& post_norm,
                   const Step& step, Part part) {
  const int64_t n = step.n_tokens, dim = step.config.hidden_size;
  const Arena::Mark mark = step.arena.mark();
  const float* d_part = residual_backward(d_hidden, plain, post_norm, step);
  float* normed = step.arena.allocate<float>(n * dim);
  rms_norm(normed, x, norm.data(), n, dim, eps_of(step), step.context);
  float* d_normed = zeros(n * dim, step);
  part(d_normed, d_part, normed);
  rms_norm_backward({d_hidden, dim}, norm.gradient, {d_normed, dim}, {x, dim}, norm.data(), n, dim, eps_of(step), step.context);
  step.arena.rewind(mark);
}

}  // namespace

void run_layer(float* hidden, const LayerWeights& w, const LayerWeights* next, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, dim = c.hidden_size;
  Arena::Mark mark = step.arena.mark();
  float* part = step.arena.allocate<float>(n * dim);

  float* input = keep_copy(hidden, n * dim, step);
  Activations normed = normed_activations(hidden, w.attn_norm, dim, c.rms_norm_eps, codings_of(w.attention), step);
  step.record(layer, "attn_norm", normed.rows.data, dim);
  if (c.attention == AttentionKind::kMla) {
    attention_mla(part, normed, w.attention, layer, step);
  } else {
    attention_gqa(part, normed, w.attention, layer, step);
  }
  step.record(layer, "attn_out", part, dim);
  float* attention_out = add_residual(hidden, part, w.attn_post_norm, step);
  step.record(layer, "attn_residual", hidden, dim);

  float* middle = keep_copy(hidden, n * dim, step);
  bool is_moe = c.is_moe_layer(layer);
  normed =
      normed_activations(hidden, w.mlp_norm, dim, c.rms_norm_eps, is_moe ? codings_of(w.moe, step) : codings_of(w.mlp), step);
  step.record(layer, "mlp_norm", normed.rows.data, dim);
  if (is_moe) {
    moe(part, normed, w.moe, next == nullptr || next->moe.experts.empty() ? nullptr : &next->moe, layer, step);
  } else {
    mlp(part, normed, w.mlp, step);
  }
  step.record(layer, "mlp_out", part, dim);
  float* mlp_out = add_residual(hidden, part, w.mlp_post_norm, step);
  step.record(layer, "hidden", hidden, dim);
  if (step.saved != nullptr) {
    step.saved->input = input;
    step.saved->middle = middle;
    step.saved->attention_out = attention_out;
    step.saved->mlp_out = mlp_out;
  }
  step.arena.rewind(mark);
}

void run_layer_backward(float* d_hidden, const LayerWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  const SavedLayer& saved = *step.saved;
  half_backward(d_hidden, saved.middle, saved.mlp_out, w.mlp_norm, w.mlp_post_norm, step,
                [&](float* d_normed, const float* d_part, const float* normed) {
                  if (c.is_moe_layer(layer)) {
                    moe_backward(d_normed, d_part, normed, w.moe, step);
                  } else {
                    mlp_backward(d_normed, d_part, saved.mlp, normed, w.mlp, step.n_tokens, step);
                  }
                });
  half_backward(d_hidden, saved.input, saved.attention_out, w.attn_norm, w.attn_post_norm, step,
                [&](float* d_normed, const float* d_part, const float* normed) {
                  if (c.attention == AttentionKind::kMla) {
                    attention_mla_backward(d_normed, d_part, normed, w.attention, step);
                  } else {
                    attention_gqa_backward(d_normed, d_part, normed, w.attention, step);
                  }
                });
}

}  // namespace minke
