// The functions of attention that exist once per instruction set. Shapes are checked by kernels/attention.
#pragma once

#include "kernels/attention/kv_layout.h"

namespace minke {

constexpr int64_t kBlockPages = 4;
constexpr int64_t kBlockTokens = kBlockPages * kPageTokens;
constexpr int64_t kMaxBlockRows = 48;

// Queries coded to int8 for kQ8: x = codes * scales, per query group. offsets = -128 * sum of the group's codes: what the
// keys' codes, stored with 128 added, bring in too much.
struct CodedQueries {
  int8_t* codes;     // [n_rows, key_cols]
  float* scales;     // [n_rows, n_query_groups]
  int32_t* offsets;  // [n_rows, n_query_groups]
};

// Running softmax of n_rows queries.
struct AttentionState {
  float* max;  // [n_rows]
  float* sum;  // [n_rows]
  float* acc;  // [n_rows, value_cols]
};

// Up to kMaxBlockRows queries against up to kBlockTokens keys of one kv head.
struct AttentionBlock {
  const KvLayout* layout;
  const std::byte* pages[kBlockPages];  // the head's bytes in the pages of the block; null from the first unused one
  const std::byte* next[kBlockPages];   // the same of the block that follows, to be fetched early
  int64_t n_rows;
  const int64_t* n_visible;  // [n_rows], 0 .. kBlockTokens: row i sees the first n_visible[i] keys of the block
  float softmax_scale;
  const float* queries;  // [n_rows, key_cols], padding zero; not for kQ8
  CodedQueries coded;    // kQ8
  AttentionState state;
  float* scores;   // scratch, [n_rows, kBlockTokens]
  uint8_t* codes;  // scratch for kQ8, [n_rows, 4 * kBlockTokens]
};

using AttendFn = void (*)(const AttentionBlock& block);
// Stores a token in a slot of a head's page. key [key_cols], value [value_cols], padded with zeros; no value with a latent.
using StoreKvFn = void (*)(const KvLayout& layout, std::byte* head, int64_t slot, const float* key, const float* value);
// The first n_tokens latents and rope keys of a page as floats, [n_tokens, key_cols].
using ReadLatentsFn = void (*)(float* out, const KvLayout& layout, const std::byte* head, int64_t n_tokens);

// Indexed by KvType.
struct AttentionTable {
  AttendFn attend_heads[4], attend_latent[4];
  StoreKvFn store_heads[4], store_latent[4];
  ReadLatentsFn read_latents[4];
  // Row `row` of `coded` from x [key_cols].
  void (*code_query)(const CodedQueries& coded, const KvLayout& layout, int64_t row, const float* x);
  // Adds `part` to `state`, row by row; rows that saw nothing (sum 0) change nothing.
  void (*merge)(const AttentionState& state, const AttentionState& part, int64_t n_rows, int64_t value_cols);
  // out[c] = acc[c] / sum, c < n.
  void (*finish_row)(float* out, const float* acc, float sum, int64_t n);
};

extern const AttentionTable kAvx2Attention;
extern const AttentionTable kAvx512Attention;
extern const AttentionTable kAvx512VnniAttention;

}  // namespace minke
