// Attention of new tokens over a paged KV cache, with an online softmax. For the query of head h at position p:
//   s_j = softmax_scale * q . k_j,  j = 0 .. p        out = sum_j exp(s_j - max) v_j / sum_j exp(s_j - max)
// A query row is a (token, head) pair; the rows of one kv head (the group of heads that shares it; with MLA's latents all
// heads) meet its keys together, so a page is read once for all of them.
//
// Order of the computation, the same for prefill, decode, any batch and any number of threads, bit for bit: keys are cut at
// multiples of kBlockTokens into blocks, whose maximum moves the running state once, and at multiples of kPartitionTokens into
// partitions, each with a state of its own; the states of neighbouring partitions are merged two by two, as a binary tree over
// their numbers. What a row gets depends on its own query and on the keys up to its position alone. Partitions are what threads
// share when a few queries meet many keys.
#pragma once

#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/context.h"
#include "kernels/attention/kv_layout.h"
#include "kernels/cpu/attention/table.h"

namespace minke {

constexpr int64_t kPartitionTokens = 2 * kBlockTokens;

// New tokens of one sequence; their keys and values are in the pages already when attention runs.
struct CachedSequence {
  const int32_t* page_table;  // of the whole sequence
  int64_t first_position;
  int64_t n_tokens;
};

// One layer of a cache.
struct CachedLayer {
  const KvLayout& layout;
  std::byte* pages;  // page p at pages + p * page_bytes(layout)
};

// Stores keys [n_tokens, n_heads, key_dim] (a latent: [n_tokens, rank + rope]) and values [n_tokens, n_heads, value_dim]
// (null with a latent) of the new tokens, sequence after sequence.
void store_tokens(const CachedLayer& layer, std::span<const CachedSequence> sequences, const float* keys, const float* values,
                  const Context& context);

// out [n_tokens, kv head, group, value_dim]; queries [kv head, n_tokens, group, key_cols], padding zero; tokens sequence after
// sequence. `group` is the number of query heads of a kv head. Scratch comes from the arena.
void attend(float* out, const float* queries, const CachedLayer& layer, std::span<const CachedSequence> sequences,
            int64_t group, float softmax_scale, Arena& arena, const Context& context);

// The parts of attend(), for keys that are not in a cache (naive MLA).
AttentionState allocate_state(Arena& arena, int64_t n_rows, int64_t value_cols);
void attention_begin(const AttentionState& state, int64_t n_rows, int64_t value_cols);
// Adds a block. Runs on the calling thread.
void attend_block(const AttentionBlock& block, const Context& context);
// out[i] = acc[i] / sum[i], value_dim numbers in rows out_stride apart.
void attention_finish(float* out, int64_t out_stride, const AttentionState& state, int64_t n_rows, const KvLayout& layout,
                      const Context& context);

// The first n_tokens rows of a page of latents: out [n_tokens, key_cols].
void read_latents(float* out, const KvLayout& layout, const std::byte* page, int64_t n_tokens, const Context& context);

}  // namespace minke
