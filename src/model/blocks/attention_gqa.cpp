#include "model/blocks/attention_gqa.h"

#include "kernels/attention/attention.h"
#include "kernels/norm.h"

namespace minke {
namespace {

// [n_tokens, kv head, group, head_dim] to [kv head, n_tokens, group, key_cols] with zeros in the padding.
float* queries_by_kv_head(const float* q, const KvLayout& layout, int64_t group, const Step& step) {
  const int64_t n = step.n_tokens, n_heads = layout.n_heads, dim = layout.key_dim;
  float* out = step.arena.allocate<float>(n_heads * n * group * layout.key_cols);
  step.context.parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      for (int64_t h = 0; h < n_heads * group; h++) {
        float* row = out + ((h / group * n + t) * group + h % group) * layout.key_cols;
        std::copy_n(q + (t * n_heads * group + h) * dim, dim, row);
        std::fill(row + dim, row + layout.key_cols, 0.0f);
      }
    }
  });
  return out;
}

}  // namespace

void attention_gqa(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, q_dim = c.n_heads * c.head_dim, kv_dim = c.n_kv_heads * c.head_dim;
  float* q = step.arena.allocate<float>(n * q_dim);         // [n_tokens, n_heads, head_dim]
  float* k = step.arena.allocate<float>(n * kv_dim);        // [n_tokens, n_kv_heads, head_dim]
  float* v = step.arena.allocate<float>(n * kv_dim);        // [n_tokens, n_kv_heads, head_dim]
  float* attended = step.arena.allocate<float>(n * q_dim);  // [n_tokens, n_heads, head_dim]
  linear({{q, w.q_proj}, {k, w.k_proj}, {v, w.v_proj}}, x, step);
  if (c.qk_norm) {
    float eps = static_cast<float>(c.rms_norm_eps);
    rms_norm(q, q, w.q_norm.data(), n * c.n_heads, c.head_dim, eps, step.context);
    rms_norm(k, k, w.k_norm.data(), n * c.n_kv_heads, c.head_dim, eps, step.context);
  }
  apply_rope(q, step.rope_rows, step.rope, {n, c.n_heads, q_dim, c.head_dim, 0}, step.rope_layout, step.context);
  apply_rope(k, step.rope_rows, step.rope, {n, c.n_kv_heads, kv_dim, c.head_dim, 0}, step.rope_layout, step.context);

  const CachedLayer cached = step.cache.layer(layer);
  const std::span<const CachedSequence> sequences = cached_sequences(step, step.batch.sequences);
  store_tokens(cached, sequences, k, v, step.context);
  const int64_t group = c.n_heads / c.n_kv_heads;
  attend(attended, queries_by_kv_head(q, cached.layout, group, step), cached, sequences, group,
         static_cast<float>(c.softmax_scale), step.arena, step.context);
  linear(out, activations(attended, n, q_dim, codings_of(w.o_proj.weight), step), w.o_proj, step);
}

}  // namespace minke
