// A cache of random tokens and the queries that meet it, for the attention tests.
#pragma once

#include <fmt/ranges.h>

#include "base/arena.h"
#include "kernel_cases.h"
#include "kernels/attention/attention.h"
#include "tensor/tensor.h"

namespace minke::testing {

constexpr KvType kKvTypes[] = {KvType::kF32, KvType::kF16, KvType::kBF16, KvType::kQ8};
inline const char* kv_name(KvType type) {
  constexpr const char* kNames[] = {"f32", "f16", "bf16", "q8"};
  return kNames[static_cast<size_t>(type)];
}

struct AttentionCase {
  bool is_latent;
  int64_t n_heads, group, key_dim, rope_dim, value_dim;  // kv heads; query heads of each
  std::vector<int64_t> lengths;                          // tokens of every sequence

  KvLayout layout(KvType type) const {
    return is_latent ? make_latent_layout(type, key_dim, rope_dim) : make_head_layout(type, n_heads, key_dim, value_dim);
  }
  std::string name() const {
    return fmt::format("{} {} x {} heads, {} + {} / {}, lengths {}", is_latent ? "latent" : "heads", n_heads, group, key_dim,
                       rope_dim, value_dim, fmt::join(lengths, " "));
  }
};

// Tokens of several sequences: keys, values and queries of every position.
struct AttentionInput {
  explicit AttentionInput(AttentionCase of, float key_range = 1) : c(std::move(of)) {
    Random random(5);
    for (int64_t n : c.lengths) n_tokens += n;
    keys = random.floats(n_tokens * c.n_heads * (c.key_dim + c.rope_dim), -key_range, key_range);
    if (!c.is_latent) values = random.floats(n_tokens * c.n_heads * c.value_dim);
    queries = random.floats(n_tokens * c.n_heads * c.group * (c.key_dim + c.rope_dim));
  }
  const float* key(int64_t token, int64_t head) const {
    return keys.data() + (token * c.n_heads + head) * (c.key_dim + c.rope_dim);
  }
  const float* value(int64_t token, int64_t head) const {
    return c.is_latent ? key(token, head) : values.data() + (token * c.n_heads + head) * c.value_dim;
  }
  const float* query(int64_t token, int64_t head, int64_t member) const {
    return queries.data() + ((token * c.n_heads + head) * c.group + member) * (c.key_dim + c.rope_dim);
  }

  AttentionCase c;
  int64_t n_tokens = 0;
  std::vector<float> keys, values, queries;
};

// A cache whose pages hold garbage (every byte 0xFF: NaN in all float formats) until tokens are stored.
class TestCache {
 public:
  TestCache(const AttentionCase& c, KvType type) : layout_(c.layout(type)) {
    for (int64_t n : c.lengths) {
      tables_.emplace_back();
      for (int64_t page = 0; page * kPageTokens < n; page++) tables_.back().push_back(n_pages_++);
    }
    // Pages of a sequence are not neighbours, nor in order.
    for (auto& table : tables_) {
      for (int32_t& page : table) page = n_pages_ - 1 - page;
    }
    memory_ = Tensor(DType::kU8, {n_pages_ * page_bytes(layout_)});
    std::fill_n(memory_.data(), n_pages_ * page_bytes(layout_), std::byte{0xFF});
  }
  CachedLayer layer() { return {layout_, memory_.data()}; }
  const KvLayout& layout() const { return layout_; }
  std::byte* head(int64_t sequence, int64_t token, int64_t head) {
    return memory_.data() +
           tables_[static_cast<size_t>(sequence)][static_cast<size_t>(token / kPageTokens)] * page_bytes(layout_) +
           head * layout_.head_bytes;
  }
  CachedSequence sequence(size_t i, int64_t first, int64_t n) const { return {tables_[i].data(), first, n}; }

 private:
  KvLayout layout_;
  int32_t n_pages_ = 0;
  std::vector<std::vector<int32_t>> tables_;
  Tensor memory_;
};

// Stores and attends tokens [first, first + n) of every sequence, with first = done[i], n = count[i]. Rows are written where
// they belong in out [n_tokens, n_heads * group, value_dim].
inline void attend_part(std::vector<float>& out, const AttentionInput& input, TestCache& cache,
                        const std::vector<int64_t>& done, const std::vector<int64_t>& count, float scale,
                        const Context& context, bool stores = true) {
  const AttentionCase& c = input.c;
  const KvLayout& layout = cache.layout();
  std::vector<CachedSequence> sequences;
  std::vector<int64_t> tokens;  // indices in the input
  int64_t start = 0;
  for (size_t i = 0; i < c.lengths.size(); i++) {
    if (count[i] > 0) sequences.push_back(cache.sequence(i, done[i], count[i]));
    for (int64_t t = 0; t < count[i]; t++) tokens.push_back(start + done[i] + t);
    start += c.lengths[i];
  }
  const int64_t n = static_cast<int64_t>(tokens.size()), key_dim = c.key_dim + c.rope_dim;
  std::vector<float> keys, values;
  std::vector<float> queries(static_cast<size_t>(n * c.n_heads * c.group * layout.key_cols));
  for (int64_t t = 0; t < n; t++) {
    for (int64_t h = 0; h < c.n_heads; h++) {
      const int64_t token = tokens[static_cast<size_t>(t)];
      keys.insert(keys.end(), input.key(token, h), input.key(token, h) + key_dim);
      if (!c.is_latent) values.insert(values.end(), input.value(token, h), input.value(token, h) + c.value_dim);
      for (int64_t m = 0; m < c.group; m++) {
        float* row = queries.data() + ((h * n + t) * c.group + m) * layout.key_cols;
        const float* query = input.query(token, h, m);
        std::copy_n(query, c.key_dim, row);
        std::copy_n(query + c.key_dim, c.rope_dim, row + layout.first_cols);
      }
    }
  }
  const CachedLayer layer = cache.layer();
  if (stores) store_tokens(layer, sequences, keys.data(), c.is_latent ? nullptr : values.data(), context);
  Arena arena;
  const int64_t row = c.n_heads * c.group * c.value_dim;
  std::vector<float> part(static_cast<size_t>(n * row));
  attend(part.data(), queries.data(), layer, sequences, c.group, scale, arena, context);
  for (int64_t t = 0; t < n; t++) std::copy_n(part.data() + t * row, row, out.data() + tokens[static_cast<size_t>(t)] * row);
}

inline std::vector<float> attend_all(const AttentionInput& input, TestCache& cache, float scale, const Context& context) {
  const AttentionCase& c = input.c;
  std::vector<float> out(static_cast<size_t>(input.n_tokens * c.n_heads * c.group * c.value_dim));
  attend_part(out, input, cache, std::vector<int64_t>(c.lengths.size()), c.lengths, scale, context);
  return out;
}

}  // namespace minke::testing
