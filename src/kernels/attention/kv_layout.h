// How one page of a KV cache stores its tokens. The attention kernels read these bytes as they are.
//
// A page holds kPageTokens tokens of one layer: for each kv head its keys, its values, and for kQ8 their scales.
//   heads (GQA), floats:   keys [key_cols][64 tokens]: lanes of a vector are tokens, so scores need no sums over lanes
//                          values [64 tokens][value_cols]
//   latent (MLA), floats:  rows [64 tokens][key_cols] = latent, rope key; the values are the latent again
//   kQ8, keys and latents: lines of 64 bytes, [4 groups of 16 tokens][key_cols / 4][16 tokens][4 columns], code + 128
//   kQ8, values of heads:  [16 groups of 4 tokens][value_cols / 16][16 columns][4 tokens], code
// kQ8 is what --kv q8_0 asks for: codes in [-127, 127], number = code * scale, scale = max|x| / 127 in f32. One scale serves
//   of a key of a head kHeadKeyGroup columns, as in Q8_0;
//   of a value of a head kHeadValueGroup columns; of a latent kLatentGroup columns, and its rope key has its own.
// Values need few scales because a scale is folded into the weight of its token, which is then coded once for all columns
// that share it. Columns are padded with zeros to multiples of 16, so kernels have no tails.
// Plain data and functions with bodies elsewhere: units with instruction set flags include this header.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minke {

constexpr int64_t kPageTokens = 64;
constexpr int64_t kHeadKeyGroup = 32;
constexpr int64_t kHeadValueGroup = 128;
constexpr int64_t kLatentGroup = 512;
// Columns of a query that share a scale when it is coded to int8 to meet kQ8 keys. Never more than the keys' own group.
constexpr int64_t kHeadQueryGroup = 32;
constexpr int64_t kLatentQueryGroup = 128;
constexpr int64_t kMaxKvCols = 2048;

enum class KvType : uint8_t { kF32, kF16, kBF16, kQ8 };

struct KvLayout {
  KvType type;
  bool is_latent;
  int64_t n_heads;   // kv heads; 1 for a latent
  int64_t key_dim;   // of a head, or the latent's rank
  int64_t rope_dim;  // of the rope key beside a latent, else 0
  int64_t value_dim;
  // Derived by make_*_layout.
  int64_t first_cols;            // key_dim, padded
  int64_t key_cols, value_cols;  // padded; key_cols with the rope key
  int64_t n_query_groups, n_key_groups, n_value_groups;
  int64_t values_offset, key_scales_offset, value_scales_offset;  // in the bytes of a head
  int64_t head_bytes;
};

KvLayout make_head_layout(KvType type, int64_t n_heads, int64_t key_dim, int64_t value_dim);
KvLayout make_latent_layout(KvType type, int64_t rank, int64_t rope_dim);
// Of a page of one layer.
int64_t page_bytes(const KvLayout& layout);

// Columns [begin, end) share a scale, which is number `scale` of the keys' or the values' scales.
struct KvColumns {
  int64_t begin, end, scale;
};
KvColumns query_columns(const KvLayout& layout, int64_t group);
KvColumns key_columns(const KvLayout& layout, int64_t group);
KvColumns value_columns(const KvLayout& layout, int64_t group);

}  // namespace minke
