#include "model/blocks/attention_mla.h"

#include <algorithm>
#include <atomic>

#include "kernels/attention/attention.h"
#include "kernels/attention/backward.h"
#include "kernels/backward.h"
#include "kernels/convert.h"
#include "kernels/norm.h"
#include "model/blocks/attend_heads.h"
#include "model/blocks/head_items.h"

namespace minke {
namespace {

// Consecutive sequences of a batch that want the same form.
struct Run {
  std::span<const BatchSequence> sequences;
  int64_t n_tokens;
  const float* q;   // [n_tokens, n_heads, nope + rope]
  float* attended;  // [n_tokens, n_heads, v_head_dim]
};

// --- absorbed: all heads of a token read a cached row once -------------------------------------------------------------------

// A matrix of activations for each head: head h starts h * head_step elements after the first.
struct HeadRows {
  const float* data;
  int64_t stride, head_step;
};

// out of head h [n_tokens, weights[h].n_rows] = x of head h times weights[h]^T, all heads as one group.
void multiply_heads(float* out, int64_t out_stride, int64_t out_step, const HeadRows& x, const std::vector<Weight>& weights,
                    int64_t n_tokens, const Step& step) {
  const auto n_heads = static_cast<int64_t>(weights.size());
  const int64_t n_cols = weights[0].n_cols;
  if (!weights[0].is_packed || step.context.isa == Isa::kRef) {
    step.context.parallel_for(n_heads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t head = begin; head < end; head++) {
        matmul({out + head * out_step, out_stride}, {x.data + head * x.head_step, x.stride}, weights[static_cast<size_t>(head)],
               n_tokens, step.context);
      }
    });
    return;
  }
  const Codings codings = codings_of(weights[0]);
  const int64_t head_bytes = coded_bytes(codings, n_tokens, n_cols);
  uint8_t* memory = step.arena.allocate<uint8_t>(n_heads * head_bytes);
  auto* inputs = step.arena.allocate<Activations>(n_heads);
  auto* products = step.arena.allocate<Product>(n_heads);
  const Context inner{nullptr, step.context.isa};
  step.context.parallel_for(n_heads, 8, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; head++) {
      const ConstRows rows = {x.data + head * x.head_step, x.stride};
      inputs[head] = code_rows(rows, n_tokens, n_cols, codings, memory + head * head_bytes, inner);
      products[head] = {
          {out + head * out_step, out_stride}, &inputs[head], &weights[static_cast<size_t>(head)], n_tokens, nullptr};
    }
  });
  multiply({products, static_cast<size_t>(n_heads)}, step);
}

// [n_tokens, n_heads, key_cols]: W_UK^T q_nope beside q_rope.
float* absorb_queries(const Run& run, const AttentionWeights& w, const KvLayout& layout, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t n = run.n_tokens, q_dim = c.n_heads * c.qk_head_dim(), dim = c.n_heads * layout.key_cols;
  float* out = step.arena.allocate<float>(n * dim);
  step.context.parallel_for(c.n_heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t head = begin; head < end; head++) {
      const float* q = run.q + head * c.qk_head_dim();
      float* rows = out + head * layout.key_cols;
      for (int64_t t = 0; t < n; t++) {
        float* row = rows + t * dim;
        std::fill(row + layout.key_dim, row + layout.key_cols, 0.0f);
        std::copy_n(q + t * q_dim + c.qk_nope_head_dim, c.qk_rope_head_dim, row + layout.first_cols);
      }
      if (!w.up.up_k_transposed) {
        matmul_transposed({rows, dim}, {q, q_dim}, w.up.up_k[static_cast<size_t>(head)], n, step.context);
      }
    }
  });
  if (w.up.up_k_transposed) multiply_heads(out, dim, layout.key_cols, {run.q, q_dim, c.qk_head_dim()}, w.up.up_k, n, step);
  return out;
}

void attend_absorbed(const Run& run, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  const CachedLayer cached = step.cache.layer(layer);
  const int64_t mixed_dim = c.n_heads * c.kv_lora_rank, o_dim = c.n_heads * c.v_head_dim;
  float* mixed = step.arena.allocate<float>(run.n_tokens * mixed_dim);  // [n_tokens, n_heads, kv_lora_rank]
  attend(mixed, absorb_queries(run, w, cached.layout, step), cached, cached_sequences(step, run.sequences), c.n_heads,
         static_cast<float>(c.softmax_scale), step.arena, step.context);
  multiply_heads(run.attended, o_dim, c.v_head_dim, {mixed, mixed_dim, c.kv_lora_rank}, w.up.up_v, run.n_tokens, step);
}

// --- naive: keys and values of a head are expanded block by block ------------------------------------------------------------

// What one thread needs: a block of expanded keys and values as a page of f32 heads would hold them, and the running state of
// all queries that meet it.
struct NaiveScratch {
  float *up_k, *up_v;             // of one head, in f32: decoded once for all its pages
  float* latents;                 // [kPageTokens, key_cols of the cache]
  float* keys;                    // [kPageTokens, nope]
  std::byte* pages[kBlockPages];  // in the layout `expanded`
  float* queries;                 // [n_queries, key_cols of `expanded`]
  float* scores;
  AttentionState state;  // [n_queries]
};

// One head of one sequence, query tokens [first, first + n).
struct NaiveItem {
  const BatchSequence& sequence;
  const float* q;
  float* out;
  int64_t head, first, n;
};

NaiveScratch allocate_naive(int64_t n_queries, const KvLayout& expanded, const Step& step) {
  const ModelConfig& c = step.config;
  NaiveScratch s;
  const int64_t up_elements = c.kv_lora_rank * (c.qk_nope_head_dim + c.v_head_dim);
  s.up_k = step.arena.allocate<float>(up_elements);
  s.up_v = s.up_k + c.kv_lora_rank * c.qk_nope_head_dim;
  s.latents = step.arena.allocate<float>(kPageTokens * step.cache.layout().key_cols);
  s.keys = step.arena.allocate<float>(kPageTokens * c.qk_nope_head_dim);
  for (std::byte*& page : s.pages) page = step.arena.allocate<std::byte>(page_bytes(expanded));
  s.queries = step.arena.allocate<float>(n_queries * expanded.key_cols);
  s.scores = step.arena.allocate<float>(kMaxBlockRows * kBlockTokens);
  s.state = allocate_state(step.arena, n_queries, expanded.value_cols);
  return s;
}

// Columns of a page of keys [key_cols][kPageTokens] from rows of tokens.
void put_columns(float* page, const float* rows, int64_t stride, int64_t n_tokens, int64_t first_col, int64_t n_cols) {
  for (int64_t c = 0; c < n_cols; c++) {
    for (int64_t j = 0; j < n_tokens; j++) page[(first_col + c) * kPageTokens + j] = rows[j * stride + c];
  }
}

Weight f32_weight(const float* data, int64_t n_rows, int64_t n_cols) {
  return {.dtype = DType::kF32, .n_rows = n_rows, .n_cols = n_cols, .data = reinterpret_cast<const std::byte*>(data)};
}

// n_keys tokens of a cached page: k = [W_UK c ; k_r], v = W_UV c.
void expand_page(std::byte* out, const NaiveScratch& scratch, const std::byte* page, int64_t n_keys, const KvLayout& expanded,
                 bool up_k_transposed, const Step& step) {
  const KvLayout& cached = step.cache.layout();
  const int64_t nope = step.config.qk_nope_head_dim, rank = step.config.kv_lora_rank;
  read_latents(scratch.latents, cached, page, n_keys, step.context);
  const ConstRows latents = {scratch.latents, cached.key_cols};
  if (up_k_transposed) {
    matmul_transposed({scratch.keys, nope}, latents, f32_weight(scratch.up_k, rank, nope), n_keys, step.context);
  } else {
    matmul({scratch.keys, nope}, latents, f32_weight(scratch.up_k, nope, rank), n_keys, step.context);
  }
  float* keys = reinterpret_cast<float*>(out);
  put_columns(keys, scratch.keys, nope, n_keys, 0, nope);
  put_columns(keys, scratch.latents + cached.first_cols, cached.key_cols, n_keys, nope, step.config.qk_rope_head_dim);
  matmul({reinterpret_cast<float*>(out + expanded.values_offset), expanded.value_cols}, latents,
         f32_weight(scratch.up_v, step.config.v_head_dim, rank), n_keys, step.context);
}

// All queries of the item against keys [key, key + kBlockTokens), which are expanded.
void attend_expanded(const NaiveItem& item, const NaiveScratch& scratch, const KvLayout& expanded, int64_t key, int64_t n_pages,
                     const Step& step) {
  int64_t n_visible[kMaxBlockRows];
  AttentionBlock block = {};
  block.layout = &expanded;
  for (int64_t p = 0; p < n_pages; p++) block.pages[p] = scratch.pages[p];
  block.n_visible = n_visible;
  block.softmax_scale = static_cast<float>(step.config.softmax_scale);
  block.scores = scratch.scores;
  const int64_t position = item.sequence.cache->n_tokens + item.first;
  for (int64_t row = 0; row < item.n; row += kMaxBlockRows) {
    block.n_rows = std::min(kMaxBlockRows, item.n - row);
    for (int64_t i = 0; i < block.n_rows; i++) {
      n_visible[i] = std::clamp<int64_t>(position + row + i + 1 - key, 0, kBlockTokens);
    }
    if (n_visible[block.n_rows - 1] == 0) continue;
    block.queries = scratch.queries + row * expanded.key_cols;
    block.state = {scratch.state.max + row, scratch.state.sum + row, scratch.state.acc + row * expanded.value_cols};
    attend_block(block, step.context);
  }
}

void attend_naive_item(const NaiveItem& item, const NaiveScratch& scratch, const KvLayout& expanded, const LatentUp& up,
                       const CachedLayer& cached, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t q_dim = c.n_heads * c.qk_head_dim(), o_dim = c.n_heads * c.v_head_dim;
  for (int64_t i = 0; i < item.n; i++) {
    float* row = scratch.queries + i * expanded.key_cols;
    std::copy_n(item.q + (item.first + i) * q_dim + item.head * c.qk_head_dim(), c.qk_head_dim(), row);
    std::fill(row + c.qk_head_dim(), row + expanded.key_cols, 0.0f);
  }
  const Weight &up_k = up.up_k[static_cast<size_t>(item.head)], &up_v = up.up_v[static_cast<size_t>(item.head)];
  dequantize_weight_rows(scratch.up_k, up_k, 0, up_k.n_rows);
  dequantize_weight_rows(scratch.up_v, up_v, 0, up_v.n_rows);
  attention_begin(scratch.state, item.n, expanded.value_cols);
  const int64_t end = item.sequence.cache->n_tokens + item.first + item.n;  // of the keys that these queries see
  for (int64_t key = 0; key < end; key += kBlockTokens) {
    int64_t n_pages = 0;
    for (int64_t token = key; token < std::min(key + kBlockTokens, end); token += kPageTokens, n_pages++) {
      const int64_t page = item.sequence.cache->page_table[static_cast<size_t>(token / kPageTokens)];
      expand_page(scratch.pages[n_pages], scratch, cached.pages + page * page_bytes(cached.layout),
                  std::min(kPageTokens, end - token), expanded, up.up_k_transposed, step);
    }
    attend_expanded(item, scratch, expanded, key, n_pages, step);
  }
  attention_finish(item.out + item.first * o_dim + item.head * c.v_head_dim, o_dim, scratch.state, item.n, expanded,
                   step.context);
}

// Per head, chunk of n new tokens and cached token: rank * (nope + v) multiply-adds to expand, n * (nope + rope + v) to attend;
// 131 k and 164 k for the heads of V2 and V3 at n = 512. Absorbed would take n * (2 rank + rope), 557 k. Nothing is expanded
// twice in a chunk while there are at least twice as many heads as threads; else the queries are split too, and each part
// expands for itself.
void attend_naive(const BatchSequence& sequence, const float* q, float* attended, const LatentUp& up, int64_t layer,
                  const Step& step) {
  const ModelConfig& c = step.config;
  const KvLayout expanded = make_head_layout(KvType::kF32, 1, c.qk_head_dim(), c.v_head_dim);
  const CachedLayer cached = step.cache.layer(layer);
  const int64_t wanted = (2 * step.context.n_threads() + c.n_heads - 1) / c.n_heads;
  const int64_t n_parts = std::clamp<int64_t>(sequence.n_tokens / kMaxBlockRows, 1, wanted);
  const int64_t part = (sequence.n_tokens + n_parts - 1) / n_parts, n_items = c.n_heads * n_parts;
  const int64_t n_workers = std::min<int64_t>(step.context.n_threads(), n_items);
  NaiveScratch* scratch = step.arena.allocate<NaiveScratch>(n_workers);
  for (int64_t i = 0; i < n_workers; i++) scratch[i] = allocate_naive(part, expanded, step);
  std::atomic<int64_t> next{0};
  step.context.parallel_for(n_workers, 1, [&](int64_t begin, int64_t) {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n_items;) {
      const int64_t first = (n_parts - 1 - i / c.n_heads) * part, n = std::min(part, sequence.n_tokens - first);
      if (n > 0)
        attend_naive_item({sequence, q, attended, i % c.n_heads, first, n}, scratch[begin], expanded, up, cached, step);
    }
  });
}

// n_cols columns of n_rows rows that are `stride` apart in both.
void copy_columns(float* out, const float* x, int64_t n_rows, int64_t stride, int64_t n_cols) {
  for (int64_t i = 0; i < n_rows; i++) std::copy_n(x + i * stride, n_cols, out + i * stride);
}

// q [n_tokens, n_heads, nope + rope], rope part rotated.
float* project_queries(const Activations& x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, q_dim = c.n_heads * c.qk_head_dim();
  float* q = step.keep<float>(n * q_dim);
  if (c.q_lora_rank == 0) {
    linear(q, x, w.q_proj, step);
  } else {
    float* latent = step.arena.allocate<float>(n * c.q_lora_rank);  // [n_tokens, q_lora_rank]
    linear(latent, x, w.q_a_proj, step);
    if (step.saved != nullptr) step.saved->attention.q_latent = keep_copy(latent, n * c.q_lora_rank, step);
    rms_norm(latent, latent, w.q_a_norm.data(), n, c.q_lora_rank, static_cast<float>(c.latent_norm_eps), step.context);
    linear(q, activations(latent, n, c.q_lora_rank, codings_of(w.q_b_proj.weight), step), w.q_b_proj, step);
  }
  apply_rope(q, step.rope_rows, step.rope, {n, c.n_heads, q_dim, c.qk_head_dim(), c.qk_nope_head_dim}, step.rope_layout,
             step.context);
  if (step.saved != nullptr) step.saved->attention.q = q;
  return q;
}

// [n_tokens, kv_lora_rank + rope]: latent (normalised) and rope key (rotated, not normalised) of the new tokens.
float* project_latents(const Activations& x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  int64_t n = step.n_tokens, rank = c.kv_lora_rank, dim = rank + c.qk_rope_head_dim;
  float* rows = step.arena.allocate<float>(n * dim);
  linear(rows, x, w.kv_a_proj, step);
  if (step.saved != nullptr) step.saved->attention.kv = keep_copy(rows, n * dim, step);
  rms_norm({rows, dim}, {rows, dim}, w.kv_a_norm.data(), n, rank, static_cast<float>(c.latent_norm_eps), step.context);
  apply_rope(rows, step.rope_rows, step.rope, {n, 1, dim, 0, rank}, step.rope_layout, step.context);
  if (step.saved != nullptr) copy_columns(step.saved->attention.kv + rank, rows + rank, n, dim, c.qk_rope_head_dim);
  return rows;
}

// The naive form where the cache keeps what it expands: [k_nope ; v] = kv_b_proj * latent, k = [k_nope ; k_r].
void attend_kept(float* attended, const float* q, const float* latents, const AttentionWeights& w, int64_t layer,
                 const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t n = step.n_tokens, nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, v_dim = c.v_head_dim;
  const int64_t dim = c.kv_lora_rank + rope, up_dim = c.n_heads * (nope + v_dim);
  float* expanded = step.arena.allocate<float>(n * up_dim);
  matmul({expanded, up_dim}, {latents, dim}, w.up.kv_b_proj, n, step.context);
  float* keys = step.arena.allocate<float>(n * c.n_heads * (nope + rope));
  float* values = step.arena.allocate<float>(n * c.n_heads * v_dim);
  step.context.parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * c.n_heads; i < end * c.n_heads; i++) {
      const float* up = expanded + i * (nope + v_dim);
      std::copy_n(up, nope, keys + i * (nope + rope));
      std::copy_n(latents + i / c.n_heads * dim + c.kv_lora_rank, rope, keys + i * (nope + rope) + nope);
      std::copy_n(up + nope, v_dim, values + i * v_dim);
    }
  });
  attend_heads(attended, q, keys, values, layer, step);
}

// Naive or absorbed over a cache of latents, as each sequence wants it.
void attend_latents(float* attended, const float* q, const float* latents, const AttentionWeights& w, int64_t layer,
                    const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t q_dim = c.n_heads * c.qk_head_dim(), o_dim = c.n_heads * c.v_head_dim;
  const std::span<const BatchSequence> sequences = step.batch.sequences;
  store_tokens(step.cache.layer(layer), cached_sequences(step, sequences), latents, nullptr, step.context);
  int64_t token = 0;
  for (size_t i = 0; i < sequences.size();) {
    const Arena::Mark mark = step.arena.mark();
    Run run{{}, 0, q + token * q_dim, attended + token * o_dim};
    size_t end = i;
    while (end < sequences.size() && sequences[end].form == sequences[i].form) run.n_tokens += sequences[end++].n_tokens;
    run.sequences = sequences.subspan(i, end - i);
    if (sequences[i].form == MlaForm::kAbsorbed) {
      attend_absorbed(run, w, layer, step);
    } else {
      int64_t first = 0;
      for (const BatchSequence& sequence : run.sequences) {
        attend_naive(sequence, run.q + first * q_dim, run.attended + first * o_dim, w.up, layer, step);
        first += sequence.n_tokens;
      }
    }
    step.arena.rewind(mark);
    token += run.n_tokens;
    i = end;
  }
}

}  // namespace

void attention_mla(float* out, const Activations& x, const AttentionWeights& w, int64_t layer, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t n = step.n_tokens, o_dim = c.n_heads * c.v_head_dim;
  const float* q = project_queries(x, w, step);
  const float* latents = project_latents(x, w, step);
  float* attended = step.keep<float>(n * o_dim);  // [n_tokens, n_heads, v_head_dim]
  if (step.saved != nullptr) step.saved->attention.attended = attended;
  const auto attend_with = step.cache.layout().is_latent ? attend_latents : attend_kept;
  attend_with(attended, q, latents, w, layer, step);
  linear(out, activations(attended, n, o_dim, codings_of(w.o_proj.weight), step), w.o_proj, step);
}

// --- backward ----------------------------------------------------------------------------------------------------------------

namespace {

// Gradients of the core of attention, rows of the batch.
struct MlaCore {
  const float* expanded;  // [n_tokens, n_heads, nope + v]: keys and values that kv_b_proj makes of the latents
  float* d_expanded;      // the same shape
  float* d_q;             // [n_tokens, n_heads, nope + rope]
  float* d_rope_keys;     // [n_heads, n_tokens, rope]: of each head apart, so that their sum has one order
};

void attend_mla_backward(const MlaCore& core, const float* d_attended, const Step& step) {
  const ModelConfig& c = step.config;
  const SavedAttention& saved = step.saved->attention;
  const int64_t nope = c.qk_nope_head_dim, rope = c.qk_rope_head_dim, v_dim = c.v_head_dim, key_dim = nope + rope;
  const int64_t q_dim = c.n_heads * key_dim, o_dim = c.n_heads * v_dim, up_dim = c.n_heads * (nope + v_dim);
  const int64_t kv_dim = c.kv_lora_rank + rope;
  for_heads(c.n_heads, step, [&](const HeadItem& item, Arena& arena) {
    const int64_t n = item.n_tokens, first = item.first_token, first_up = first * up_dim + item.head * (nope + v_dim);
    float* keys = arena.allocate<float>(n * key_dim);
    float* d_keys = arena.allocate<float>(n * key_dim);
    float* scratch = arena.allocate<float>(attend_backward_scratch(n));
    for (int64_t t = 0; t < n; t++) {
      std::copy_n(core.expanded + first_up + t * up_dim, nope, keys + t * key_dim);
      std::copy_n(saved.kv + (first + t) * kv_dim + c.kv_lora_rank, rope, keys + t * key_dim + nope);
    }
    std::fill_n(d_keys, n * key_dim, 0.0f);
    const int64_t first_q = first * q_dim + item.head * key_dim, first_o = first * o_dim + item.head * v_dim;
    const HeadBackward head = {.n_tokens = n,
                               .key_dim = key_dim,
                               .value_dim = v_dim,
                               .softmax_scale = static_cast<float>(c.softmax_scale),
                               .q = {saved.q + first_q, q_dim},
                               .k = {keys, key_dim},
                               .v = {core.expanded + first_up + nope, up_dim},
                               .d_out = {d_attended + first_o, o_dim},
                               .d_q = {core.d_q + first_q, q_dim},
                               .d_k = {d_keys, key_dim},
                               .d_v = {core.d_expanded + first_up + nope, up_dim}};
    attend_backward(head, scratch, step.context.isa);
    for (int64_t t = 0; t < n; t++) {
      std::copy_n(d_keys + t * key_dim, nope, core.d_expanded + first_up + t * up_dim);
      std::copy_n(d_keys + t * key_dim + nope, rope, core.d_rope_keys + (item.head * step.n_tokens + first + t) * rope);
    }
  });
}

// The rope keys' columns of d_kv [n_tokens, rank + rope]: the sum over heads, in their order.
void sum_rope_keys(float* d_kv, const float* d_rope_keys, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t rope = c.qk_rope_head_dim, n = step.n_tokens, dim = c.kv_lora_rank + rope;
  step.context.parallel_for(n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      float* out = d_kv + t * dim + c.kv_lora_rank;
      for (int64_t head = 0; head < c.n_heads; head++) {
        const float* part = d_rope_keys + (head * n + t) * rope;
        for (int64_t i = 0; i < rope; i++) out[i] += part[i];
      }
    }
  });
}

void queries_backward(float* d_x, float* d_q, const float* x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  const int64_t n = step.n_tokens, rank = c.q_lora_rank, q_dim = c.n_heads * c.qk_head_dim();
  rope_backward(d_q, {n, c.n_heads, q_dim, c.qk_head_dim(), c.qk_nope_head_dim}, step);
  if (rank == 0) return linear_backward(d_x, d_q, x, w.q_proj, n, step);
  const float eps = static_cast<float>(c.latent_norm_eps);
  const float* plain = step.saved->attention.q_latent;
  float* latent = step.arena.allocate<float>(n * rank);
  rms_norm(latent, plain, w.q_a_norm.data(), n, rank, eps, step.context);
  float* d_normed = zeros(n * rank, step);
  linear_backward(d_normed, d_q, latent, w.q_b_proj, n, step);
  float* d_latent = zeros(n * rank, step);
  rms_norm_backward({d_latent, rank}, w.q_a_norm.gradient, {d_normed, rank}, {plain, rank}, w.q_a_norm.data(), n, rank, eps,
                    step.context);
  linear_backward(d_x, d_latent, x, w.q_a_proj, n, step);
}

}  // namespace

void attention_mla_backward(float* d_x, const float* d_out, const float* x, const AttentionWeights& w, const Step& step) {
  const ModelConfig& c = step.config;
  const SavedAttention& saved = step.saved->attention;
  const int64_t n = step.n_tokens, rank = c.kv_lora_rank, dim = rank + c.qk_rope_head_dim;
  const int64_t o_dim = c.n_heads * c.v_head_dim, up_dim = w.up.kv_b_proj.n_rows;
  const float eps = static_cast<float>(c.latent_norm_eps);
  const Arena::Mark mark = step.arena.mark();
  float* d_attended = zeros(n * o_dim, step);
  linear_backward(d_attended, d_out, saved.attended, w.o_proj, n, step);

  float* latent = step.arena.allocate<float>(n * rank);
  rms_norm({latent, rank}, {saved.kv, dim}, w.kv_a_norm.data(), n, rank, eps, step.context);
  float* expanded = step.arena.allocate<float>(n * up_dim);
  matmul(expanded, latent, w.up.kv_b_proj, n, step.context);
  const MlaCore core = {expanded, zeros(n * up_dim, step), step.arena.allocate<float>(n * c.n_heads * c.qk_head_dim()),
                        step.arena.allocate<float>(c.n_heads * n * c.qk_rope_head_dim)};
  attend_mla_backward(core, d_attended, step);
  queries_backward(d_x, core.d_q, x, w, step);

  float* d_latent = zeros(n * rank, step);
  linear_backward(d_latent, core.d_expanded, latent, w.up.kv_b_proj, n, step);
  float* d_kv = zeros(n * dim, step);
  rms_norm_backward({d_kv, dim}, w.kv_a_norm.gradient, {d_latent, rank}, {saved.kv, dim}, w.kv_a_norm.data(), n, rank, eps,
                    step.context);
  sum_rope_keys(d_kv, core.d_rope_keys, step);
  rope_backward(d_kv, {n, 1, dim, 0, rank}, step);
  linear_backward(d_x, d_kv, x, w.kv_a_proj, n, step);
  step.arena.rewind(mark);
}

}  // namespace minke
