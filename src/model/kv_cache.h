// The KV cache: pages of kPageSize tokens, handed to sequences on demand. GQA caches keys (after RoPE) and values; MLA
// caches the normalised latent and the rope key, kv_lora_rank + qk_rope_head_dim numbers a token and layer (DeepSeek-V2
// paper, section 2.1). Storage is f32.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/error.h"
#include "kernels/attention.h"
#include "model/config.h"

namespace minke {

constexpr int64_t kPageSize = kAttentionBlock;  // so that block boundaries of attention never depend on how a prompt was cut

// One sequence's place in the cache.
struct SequenceCache {
  std::vector<int32_t> page_table;
  int64_t n_tokens = 0;  // cached so far
};

class KvCache {
 public:
  KvCache(const ModelConfig& config, int64_t capacity_tokens);

  // Makes room for n_tokens in all; an error says how many tokens the cache holds when it is full.
  Status reserve(SequenceCache& sequence, int64_t n_tokens);
  // Forgets everything after the first n_tokens (0: the whole sequence) and gives whole pages back.
  void truncate(SequenceCache& sequence, int64_t n_tokens);

  int64_t capacity_tokens() const { return n_pages_ * kPageSize; }
  // Rows of a page, [kPageSize, key_dim] and [kPageSize, value_dim].
  float* keys(int64_t layer, int32_t page) { return row(keys_, layer, page, key_dim_); }
  float* values(int64_t layer, int32_t page) { return row(values_, layer, page, value_dim_); }
  int64_t key_dim() const { return key_dim_; }
  int64_t value_dim() const { return value_dim_; }

  // Bytes that one token takes in all layers.
  static int64_t bytes_per_token(const ModelConfig& config);

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  using Storage = std::unique_ptr<float[], Free>;
  float* row(const Storage& storage, int64_t layer, int32_t page, int64_t dim) {
    return storage.get() + (layer * n_pages_ + page) * kPageSize * dim;
  }

  int64_t n_pages_, key_dim_, value_dim_;
  Storage keys_, values_;  // [n_layers + n_mtp_layers, n_pages, kPageSize, dim]; calloc: untouched pages cost no memory
  std::vector<int32_t> free_pages_;  // last one is handed out next
};

}  // namespace minke
