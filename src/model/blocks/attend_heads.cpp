#include "model/blocks/attend_heads.h"

#include <algorithm>

#include "kernels/attention/attention.h"

namespace minke {
namespace {

// [n_tokens, kv head, group, key_dim] to [kv head, n_tokens, group, key_cols] with zeros in the padding.
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

void attend_heads(float* attended, const float* q, const float* keys, const float* values, int64_t layer, const Step& step) {
  const CachedLayer cached = step.cache.layer(layer);
  const std::span<const CachedSequence> sequences = cached_sequences(step, step.batch.sequences);
  store_tokens(cached, sequences, keys, values, step.context);
  const int64_t group = step.config.n_heads / cached.layout.n_heads;
  attend(attended, queries_by_kv_head(q, cached.layout, group, step), cached, sequences, group,
         static_cast<float>(step.config.softmax_scale), step.arena, step.context);
}

}  // namespace minke
