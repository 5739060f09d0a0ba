#include "model/kv_cache.h"

#include "base/check.h"

namespace minke {
namespace {

int64_t key_row_dim(const ModelConfig& c) {
  return c.attention == AttentionKind::kMla ? c.kv_lora_rank + c.qk_rope_head_dim : c.n_kv_heads * c.head_dim;
}
int64_t value_row_dim(const ModelConfig& c) { return c.attention == AttentionKind::kMla ? 0 : c.n_kv_heads * c.head_dim; }

float* zeroed(int64_t n) {
  if (n == 0) return nullptr;
  auto* memory = static_cast<float*>(std::calloc(static_cast<size_t>(n), sizeof(float)));
  CHECK(memory != nullptr, "out of memory for a KV cache of {} bytes", n * static_cast<int64_t>(sizeof(float)));
  return memory;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, int64_t capacity_tokens)
    : n_pages_((capacity_tokens + kPageSize - 1) / kPageSize),
      key_dim_(key_row_dim(config)),
      value_dim_(value_row_dim(config)) {
  CHECK(capacity_tokens > 0, "capacity {}", capacity_tokens);
  int64_t n_layers = config.n_layers + config.n_mtp_layers;
  keys_.reset(zeroed(n_layers * n_pages_ * kPageSize * key_dim_));
  values_.reset(zeroed(n_layers * n_pages_ * kPageSize * value_dim_));
  for (int64_t page = n_pages_ - 1; page >= 0; page--) free_pages_.push_back(static_cast<int32_t>(page));
}

Status KvCache::reserve(SequenceCache& sequence, int64_t n_tokens) {
  int64_t n_pages = (n_tokens + kPageSize - 1) / kPageSize;
  int64_t n_more = n_pages - static_cast<int64_t>(sequence.page_table.size());
  if (n_more > static_cast<int64_t>(free_pages_.size())) {
    return error("the KV cache holds {} tokens and has no room for a sequence of {}", capacity_tokens(), n_tokens);
  }
  for (int64_t i = 0; i < n_more; i++) {
    sequence.page_table.push_back(free_pages_.back());
    free_pages_.pop_back();
  }
  return {};
}

void KvCache::truncate(SequenceCache& sequence, int64_t n_tokens) {
  CHECK(n_tokens >= 0 && n_tokens <= sequence.n_tokens, "{} of {} tokens", n_tokens, sequence.n_tokens);
  size_t n_pages = static_cast<size_t>((n_tokens + kPageSize - 1) / kPageSize);
  while (sequence.page_table.size() > n_pages) {
    free_pages_.push_back(sequence.page_table.back());
    sequence.page_table.pop_back();
  }
  sequence.n_tokens = n_tokens;
}

int64_t KvCache::bytes_per_token(const ModelConfig& config) {
  int64_t n_layers = config.n_layers + config.n_mtp_layers;
  return n_layers * (key_row_dim(config) + value_row_dim(config)) * static_cast<int64_t>(sizeof(float));
}

}  // namespace minke
