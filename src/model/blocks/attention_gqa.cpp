#include "model/blocks/attention_gqa.h"

#include "kernels/attention/backward.h"
#include "kernels/backward.h"
#include "kernels/norm.h"
#include "model/blocks/attend_heads.h"
#include "model/blocks/head_items.h"

namespace minke {
void attention_gqa(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, q_dim = c.n_heads * c.head_dim, kv_dim = c.n_kv_heads * c.head_dim;
  float* q = step.keep<float>(n * q_dim);         // [n_tokens, n_heads, head_dim]
  float* k = step.keep<float>(n * kv_dim);        // [n_tokens, n_kv_heads, head_dim]
  float* v = step.keep<float>(n * kv_dim);        // [n_tokens, n_kv_heads, head_dim]
  float* attended = step.keep<float>(n * q_dim);  // [n_tokens, n_heads, head_dim]
  linear({{q, w.q_proj}, {k, w.k_proj}, {v, w.v_proj}}, x, step);
  if (step.saved != nullptr) step.saved->attention = {.q = q, .k = k, .v = v, .attended = attended};
  if (c.qk_norm) {
    if (step.saved != nullptr) {
      step.saved->attention.q_plain = keep_copy(q, n * q_dim, step);
      step.saved->attention.k_plain = keep_copy(k, n * kv_dim, step);
    }
    float eps = static_cast<float>(c.rms_norm_eps);
    rms_norm(q, q, w.q_norm.data(), n * c.n_heads, c.head_dim, eps, step.context);
    rms_norm(k, k, w.k_norm.data(), n * c.n_kv_heads, c.head_dim, eps, step.context);
  }
  apply_rope(q, step.rope_rows, step.rope, {n, c.n_heads, q_dim, c.head_dim, 0}, step.rope_layout, step.context);
  apply_rope(k, step.rope_rows, step.rope, {n, c.n_kv_heads, kv_dim, c.head_dim, 0}, step.rope_layout, step.context);

  attend_heads(attended, q, k, v, layer, step);
  linear(out, activations(attended, n, q_dim, codings_of(w.o_proj.weight), step), w.o_proj, step);
}

namespace {

// Gradients by the rotated q, k and v; d_q is overwritten, the others are added to.
void attend_gqa_backward(float* d_q, float* d_k, float* d_v, const float* d_attended, const SavedAttention& saved,
                         const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t dim = c.head_dim, q_dim = c.n_heads * dim, kv_dim = c.n_kv_heads * dim, group = c.n_heads / c.n_kv_heads;
  for_heads(c.n_kv_heads, step, [&](const HeadItem& item, Arena& arena) {
    const int64_t n = item.n_tokens, first_kv = item.first_token * kv_dim + item.head * dim;
    float* scratch = arena.allocate<float>(attend_backward_scratch(n));
    for (int64_t g = 0; g < group; g++) {
      const int64_t first_q = item.first_token * q_dim + (item.head * group + g) * dim;
      const HeadBackward head = {.n_tokens = n,
                                 .key_dim = dim,
                                 .value_dim = dim,
                                 .softmax_scale = static_cast<float>(c.softmax_scale),
                                 .q = {saved.q + first_q, q_dim},
                                 .k = {saved.k + first_kv, kv_dim},
                                 .v = {saved.v + first_kv, kv_dim},
                                 .d_out = {d_attended + first_q, q_dim},
                                 .d_q = {d_q + first_q, q_dim},
                                 .d_k = {d_k + first_kv, kv_dim},
                                 .d_v = {d_v + first_kv, kv_dim}};
      attend_backward(head, scratch, step.context.isa);
    }
  });
}

}  // namespace

void attention_gqa_backward(float* d_x, const float* d_out, const float* x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  const SavedAttention& saved = step.saved->attention;
  const int64_t n = step.n_tokens, q_dim = c.n_heads * c.head_dim, kv_dim = c.n_kv_heads * c.head_dim;
  const Arena::Mark mark = step.arena.mark();
  float* d_attended = zeros(n * q_dim, step);
  linear_backward(d_attended, d_out, saved.attended, w.o_proj, n, step);
  float* d_q = step.arena.allocate<float>(n * q_dim);
  float* d_k = zeros(n * kv_dim, step);
  float* d_v = zeros(n * kv_dim, step);
  attend_gqa_backward(d_q, d_k, d_v, d_attended, saved, step);
  rope_backward(d_q, {n, c.n_heads, q_dim, c.head_dim, 0}, step);
  rope_backward(d_k, {n, c.n_kv_heads, kv_dim, c.head_dim, 0}, step);
  if (c.qk_norm) {
    auto through_norm = [&](float* d, const float* plain, const Vector& norm, int64_t n_heads) {
      float* d_plain = zeros(n * n_heads * c.head_dim, step);
      rms_norm_backward({d_plain, c.head_dim}, norm.gradient, {d, c.head_dim}, {plain, c.head_dim}, norm.data(), n * n_heads,
                        c.head_dim, static_cast<float>(c.rms_norm_eps), step.context);
      return d_plain;
    };
    d_q = through_norm(d_q, saved.q_plain, w.q_norm, c.n_heads);
    d_k = through_norm(d_k, saved.k_plain, w.k_norm, c.n_kv_heads);
  }
  linear_backward(d_x, d_q, x, w.q_proj, n, step);
  linear_backward(d_x, d_k, x, w.k_proj, n, step);
  linear_backward(d_x, d_v, x, w.v_proj, n, step);
  step.arena.rewind(mark);
}

}  // namespace minke
