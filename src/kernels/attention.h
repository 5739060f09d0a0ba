// Attention over one block of keys with an online softmax. For every query row i:
//   s_j = softmax_scale * sum over parts p of q_p[i] . k_p[j]                     j = 0 .. n_visible[i]-1
//   m' = max(m, max_j s_j);  P_j = exp(s_j - m')
//   sum' = sum * exp(m - m') + sum_j P_j;  acc' = acc * exp(m - m') + sum_j P_j * v_j;   and at the end out = acc / sum
// A query row is any (token, head) pair that reads these keys: one head of many tokens (naive MLA, GQA prefill) or many heads
// of one token (GQA groups, absorbed MLA with keys = latent and rope parts, values = latent). Row i depends on its own query,
// the keys it sees and the block boundaries, bit for bit; not on the other rows. So callers cut the keys into blocks at fixed
// key indices (0, kAttentionBlock, 2 kAttentionBlock, ... or pages) for prefill and decode alike.
#pragma once

#include <cstdint>
#include <span>

#include "base/context.h"
#include "kernels/matmul.h"

namespace minke {

constexpr int64_t kMaxAttentionKeys = 256;  // in one block
constexpr int64_t kAttentionBlock = 64;     // what attend() uses

struct KeyPart {
  ConstRows q;     // [n_queries, dim]
  ConstRows keys;  // [n_keys, dim]
  int64_t dim = 0;
};

struct AttentionBlock {
  std::span<const KeyPart> parts;  // scores of the parts are added: 1 or 2
  ConstRows values;                // [n_keys, v_dim]
  int64_t v_dim = 0;
  int64_t n_keys = 0;                  // <= kMaxAttentionKeys
  const int64_t* n_visible = nullptr;  // [n_queries], clamped to [0, n_keys]; null: every query sees all keys
  float softmax_scale = 1;

  int64_t n_visible_to(int64_t query) const;
};

struct AttentionState {
  float* max = nullptr;  // [n_queries]
  float* sum = nullptr;  // [n_queries]
  Rows acc;              // [n_queries, v_dim]
};

// max = -inf, sum = 0, acc = 0.
void attention_begin(const AttentionState& state, int64_t n_queries, int64_t v_dim);
// Adds a block. Runs on the calling thread: callers spread heads and tokens over threads.
void attend_block(const AttentionState& state, const AttentionBlock& block, int64_t n_queries, const Context& context);
// out = acc / sum; a query that saw no key gets zeros. out [n_queries, v_dim] may be acc.
void attention_finish(Rows out, const AttentionState& state, int64_t n_queries, int64_t v_dim);

// All three over contiguous keys of any number, in blocks of kAttentionBlock. n_visible counts keys from 0.
void attend(Rows out, const AttentionBlock& all, int64_t n_queries, const Context& context);

}  // namespace minke
