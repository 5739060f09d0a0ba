// The KV cache: pages of kPageSize tokens, handed to sequences on demand. GQA caches keys (after RoPE) and values; MLA
// caches the normalised latent and the rope key, kv_lora_rank + qk_rope_head_dim numbers a token and layer (DeepSeek-V2
// paper, section 2.1), or the keys and values that it expands them to. Numbers are f32, f16, bf16 or q8_0; how a page holds
// them is in kernels/attention/kv_layout.h.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "kernels/attention/attention.h"
#include "model/config.h"
#include "tensor/dtype.h"

namespace minke {

constexpr int64_t kPageSize = kPageTokens;  // so that block boundaries of attention never depend on how a prompt was cut

// One sequence's place in the cache.
struct SequenceCache {
  std::vector<int32_t> page_table;
  int64_t n_tokens = 0;  // cached so far
};

// What MLA keeps of a token. Heads take more memory and no work in later steps: for training and for samples of small models,
// which need kv_b_proj as one matrix that is not packed. Other kinds of attention ignore this.
enum class MlaCache { kLatent, kHeads };

// f32, f16, bf16, q8_0
std::span<const DType> kv_dtypes();

class KvCache {
 public:
  KvCache(const ModelConfig& config, int64_t capacity_tokens, DType dtype = DType::kF32, MlaCache mla = MlaCache::kLatent);

  // Makes room for n_tokens in all; an error says how many tokens the cache holds when it is full.
  Status reserve(SequenceCache& sequence, int64_t n_tokens);
  // A sequence that goes on from the first n_tokens of `from`: whole pages are shared, what a last one holds is copied.
  // Nobody writes into a shared page, since sequences grow behind their tokens; truncating into one is not allowed.
  Result<SequenceCache> fork(const SequenceCache& from, int64_t n_tokens);
  // Forgets everything after the first n_tokens (0: the whole sequence) and gives whole pages back.
  void truncate(SequenceCache& sequence, int64_t n_tokens);
  // What a sequence's page number `index`, full of tokens, holds in all layers: whole_page_bytes() of them.
  void copy_page(std::span<std::byte> out, const SequenceCache& sequence, int64_t index) const;
  // Puts what copy_page() gave behind a sequence of whole pages.
  Status append_page(SequenceCache& sequence, std::span<const std::byte> page);
  int64_t whole_page_bytes() const { return n_layers_ * page_bytes(layout_); }

  int64_t capacity_tokens() const { return n_pages_ * kPageSize; }
  int64_t n_free_pages() const { return static_cast<int64_t>(free_pages_.size()); }
  // Sequences that a page belongs to.
  int64_t n_users(int32_t page) const { return n_users_[static_cast<size_t>(page)]; }
  const KvLayout& layout() const { return layout_; }
  CachedLayer layer(int64_t layer) { return {layout_, pages_ + layer * n_pages_ * page_bytes(layout_)}; }

  // Bytes that one token takes in all layers.
  static int64_t bytes_per_token(const ModelConfig& config, DType dtype, MlaCache mla = MlaCache::kLatent);

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };

  int32_t take_page();

  KvLayout layout_;
  int64_t n_pages_;
  std::unique_ptr<std::byte[], Free> memory_;
  std::byte* pages_;                 // [n_layers_, n_pages, page_bytes] in memory_, at a multiple of kAlignment
  int64_t n_layers_;                 // with those of multi-token prediction
  std::vector<int32_t> free_pages_;  // last one is handed out next
  std::vector<int32_t> n_users_;     // of each page
};

}  // namespace minke
