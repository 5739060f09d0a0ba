#include "model/blocks/attention_mla.h"

#include <array>

#include "kernels/attention.h"
#include "kernels/norm.h"

namespace minke {
namespace {

// Scratch of one head; heads run on different threads.
struct HeadScratch {
  float* max_sum;      // [2, n_new]
  int64_t* n_visible;  // [n_new]
  float* keys;         // naive: [kPageSize, nope]
  float* values;       // naive: [kPageSize, v_head_dim]
  float* query;        // absorbed: [n_new, kv_lora_rank]
  float* mixed;        // absorbed: [n_new, kv_lora_rank]
};

// One head of one sequence.
struct HeadCall {
  ConstRows q_nope, q_rope;  // [n_new, .]
  Rows out;                  // [n_new, v_head_dim]
  const BatchSequence& sequence;
  const AttentionWeights& w;
  int64_t layer, head;
};

// Walks the pages of a sequence; `keys_of` gives the first key part and the values of each page.
template <typename KeysOf>
void attend_pages(const AttentionState& running, const HeadCall& call, ConstRows query, int64_t query_dim, int64_t v_dim,
                  int64_t* n_visible, const Step& step, KeysOf&& keys_of) {
  const ModelConfig& c = step.config;
  int64_t n = call.sequence.n_tokens, start = call.sequence.cache->n_tokens, total = start + n;
  attention_begin(running, n, v_dim);
  for (int64_t page_start = 0; page_start < total; page_start += kPageSize) {
    int32_t page = call.sequence.cache->page_table[static_cast<size_t>(page_start / kPageSize)];
    const float* rows = step.cache.keys(call.layer, page);  // [kPageSize, kv_lora_rank + rope]
    int64_t stride = step.cache.key_dim();
    int64_t n_keys = std::min(kPageSize, total - page_start);
    auto [keys, values] = keys_of(ConstRows{rows, stride}, n_keys);
    std::array<KeyPart, 2> parts = {
        KeyPart{query, keys, query_dim},
        KeyPart{call.q_rope, {rows + c.kv_lora_rank, stride}, c.qk_rope_head_dim},
    };
    causal_visibility(n_visible, n, start, page_start);
    AttentionBlock block{parts, values, v_dim, n_keys, n_visible, static_cast<float>(c.softmax_scale)};
    attend_block(running, block, n, step.context);
  }
}

void attend_naive(const HeadCall& call, const HeadScratch& scratch, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = call.sequence.n_tokens, nope = c.qk_nope_head_dim, v_dim = c.v_head_dim;
  const LatentUp& up = call.w.up;
  const Weight& up_k = up.up_k[static_cast<size_t>(call.head)];
  const Weight& up_v = up.up_v[static_cast<size_t>(call.head)];
  AttentionState running{scratch.max_sum, scratch.max_sum + n, call.out};
  auto expand = [&](ConstRows latent, int64_t n_keys) {
    Rows keys{scratch.keys, nope};
    if (up.up_k_transposed) {
      matmul_transposed(keys, latent, up_k, n_keys, step.context);
    } else {
      matmul(keys, latent, up_k, n_keys, step.context);
    }
    matmul({scratch.values, v_dim}, latent, up_v, n_keys, step.context);
    return std::pair(ConstRows{scratch.keys, nope}, ConstRows{scratch.values, v_dim});
  };
  attend_pages(running, call, call.q_nope, nope, v_dim, scratch.n_visible, step, expand);
  attention_finish(call.out, running, n, v_dim);
}

void attend_absorbed(const HeadCall& call, const HeadScratch& scratch, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = call.sequence.n_tokens, rank = c.kv_lora_rank;
  const LatentUp& up = call.w.up;
  const Weight& up_k = up.up_k[static_cast<size_t>(call.head)];
  Rows query{scratch.query, rank};
  if (up.up_k_transposed) {
    matmul(query, call.q_nope, up_k, n, step.context);
  } else {
    matmul_transposed(query, call.q_nope, up_k, n, step.context);
  }
  Rows mixed{scratch.mixed, rank};
  AttentionState running{scratch.max_sum, scratch.max_sum + n, mixed};
  auto latents = [](ConstRows latent, int64_t) { return std::pair(latent, latent); };
  attend_pages(running, call, {scratch.query, rank}, rank, rank, scratch.n_visible, step, latents);
  attention_finish(mixed, running, n, rank);
  matmul(call.out, {scratch.mixed, rank}, up.up_v[static_cast<size_t>(call.head)], n, step.context);
}

// q [n_tokens, n_heads, nope + rope], rope part rotated.
float* project_queries(const Activations& x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, q_dim = c.n_heads * c.qk_head_dim();
  float* q = step.arena.allocate<float>(n * q_dim);
  if (c.q_lora_rank == 0) {
    linear(q, x, w.q_proj, step);
  } else {
    float* latent = step.arena.allocate<float>(n * c.q_lora_rank);  // [n_tokens, q_lora_rank]
    linear(latent, x, w.q_a_proj, step);
    rms_norm(latent, latent, w.q_a_norm.data(), n, c.q_lora_rank, static_cast<float>(c.latent_norm_eps), step.context);
    linear(q, activations(latent, n, c.q_lora_rank, w.q_b_proj.weight.is_packed, step), w.q_b_proj, step);
  }
  apply_rope(q, step.rope_rows, step.rope, {n, c.n_heads, q_dim, c.qk_head_dim(), c.qk_nope_head_dim}, step.rope_layout,
             step.context);
  return q;
}

// Latent (normalised) and rope key (rotated, not normalised) of the new tokens into the cache.
void cache_latents(const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, rank = c.kv_lora_rank, dim = rank + c.qk_rope_head_dim;
  float* rows = step.arena.allocate<float>(n * dim);  // [n_tokens, kv_lora_rank + rope]
  linear(rows, x, w.kv_a_proj, step);
  rms_norm({rows, dim}, {rows, dim}, w.kv_a_norm.data(), n, rank, static_cast<float>(c.latent_norm_eps), step.context);
  apply_rope(rows, step.rope_rows, step.rope, {n, 1, dim, 0, rank}, step.rope_layout, step.context);
  store_rows(rows, dim, dim, 0, CachePart::kKeys, layer, step);
}

}  // namespace

void attention_mla(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, q_dim = c.n_heads * c.qk_head_dim(), o_dim = c.n_heads * c.v_head_dim;
  float* q = project_queries(x, w, step);
  cache_latents(x, w, layer, step);
  float* attended = step.arena.allocate<float>(n * o_dim);  // [n_tokens, n_heads, v_head_dim]

  int64_t first_token = 0;
  for (const BatchSequence& sequence : step.batch.sequences) {
    int64_t n_new = sequence.n_tokens;
    bool naive = sequence.form == MlaForm::kNaive;
    float* max_sum = step.arena.allocate<float>(c.n_heads * 2 * n_new);
    int64_t* n_visible = step.arena.allocate<int64_t>(c.n_heads * n_new);
    int64_t head_floats = naive ? kPageSize * (c.qk_nope_head_dim + c.v_head_dim) : 2 * n_new * c.kv_lora_rank;
    float* buffers = step.arena.allocate<float>(c.n_heads * head_floats);
    step.context.parallel_for(c.n_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; head++) {
        float* buffer = buffers + head * head_floats;
        HeadScratch scratch{
            max_sum + head * 2 * n_new,     n_visible + head * n_new, buffer, buffer + kPageSize * c.qk_nope_head_dim, buffer,
            buffer + n_new * c.kv_lora_rank};
        const float* q_head = q + first_token * q_dim + head * c.qk_head_dim();
        HeadCall call{{q_head, q_dim},
                      {q_head + c.qk_nope_head_dim, q_dim},
                      {attended + first_token * o_dim + head * c.v_head_dim, o_dim},
                      sequence,
                      w,
                      layer,
                      head};
        if (naive) {
          attend_naive(call, scratch, step);
        } else {
          attend_absorbed(call, scratch, step);
        }
      }
    });
    first_token += n_new;
  }
  linear(out, activations(attended, n, o_dim, w.o_proj.weight.is_packed, step), w.o_proj, step);
}

}  // namespace minke
