#include "model/blocks/attention_gqa.h"

#include "kernels/attention.h"
#include "kernels/norm.h"

namespace minke {
namespace {

struct Queries {
  const float* q;  // [n_tokens, n_heads * head_dim]
  float* out;      // the same shape
};

// One head of one sequence: all its new tokens against all its pages.
void attend_head(const Queries& io, int64_t first_token, const BatchSequence& sequence, int64_t head, int64_t layer,
                 float* state, int64_t* n_visible, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = sequence.n_tokens, start = sequence.cache->n_tokens, total = start + n;
  int64_t stride = c.n_heads * c.head_dim, kv_stride = step.cache.key_dim();
  int64_t kv_offset = head / (c.n_heads / c.n_kv_heads) * c.head_dim;
  int64_t offset = first_token * stride + head * c.head_dim;
  AttentionState running{state, state + n, {io.out + offset, stride}};
  attention_begin(running, n, c.head_dim);
  for (int64_t page_start = 0; page_start < total; page_start += kPageSize) {
    int32_t page = sequence.cache->page_table[static_cast<size_t>(page_start / kPageSize)];
    KeyPart part{{io.q + offset, stride}, {step.cache.keys(layer, page) + kv_offset, kv_stride}, c.head_dim};
    causal_visibility(n_visible, n, start, page_start);
    AttentionBlock block;
    block.parts = {&part, 1};
    block.values = {step.cache.values(layer, page) + kv_offset, kv_stride};
    block.v_dim = c.head_dim;
    block.n_keys = std::min(kPageSize, total - page_start);
    block.n_visible = n_visible;
    block.softmax_scale = static_cast<float>(c.softmax_scale);
    attend_block(running, block, n, step.context);
  }
  attention_finish(running.acc, running, n, c.head_dim);
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
  store_rows(k, kv_dim, kv_dim, 0, CachePart::kKeys, layer, step);
  store_rows(v, kv_dim, kv_dim, 0, CachePart::kValues, layer, step);

  float* state = step.arena.allocate<float>(2 * n * c.n_heads);
  int64_t* n_visible = step.arena.allocate<int64_t>(n * c.n_heads);
  int64_t first_token = 0;
  for (const BatchSequence& sequence : step.batch.sequences) {
    step.context.parallel_for(c.n_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; head++) {
        int64_t n_new = sequence.n_tokens;
        attend_head({q, attended}, first_token, sequence, head, layer, state + head * 2 * n_new, n_visible + head * n_new,
                    step);
      }
    });
    first_token += sequence.n_tokens;
  }
  linear(out, activations(attended, n, q_dim, w.o_proj.weight.is_packed, step), w.o_proj, step);
}

}  // namespace minke
