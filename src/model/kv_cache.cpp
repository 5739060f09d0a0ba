#include "model/kv_cache.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace minke {
namespace {

constexpr uintptr_t kAlignment = 64;
constexpr std::array kDTypes = {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0};

KvType type_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return KvType::kF32;
    case DType::kF16:
      return KvType::kF16;
    case DType::kBF16:
      return KvType::kBF16;
    default:
      CHECK(dtype == DType::kQ8_0, "a KV cache of {}", dtype_name(dtype));
      return KvType::kQ8;
  }
}

KvLayout layout_of(const ModelConfig& c, DType dtype, MlaCache mla) {
  if (c.attention == AttentionKind::kMla && mla == MlaCache::kHeads) {
    return make_head_layout(type_of(dtype), c.n_heads, c.qk_head_dim(), c.v_head_dim);
  }
  if (c.attention == AttentionKind::kMla) return make_latent_layout(type_of(dtype), c.kv_lora_rank, c.qk_rope_head_dim);
  return make_head_layout(type_of(dtype), c.n_kv_heads, c.head_dim, c.head_dim);
}

}  // namespace

std::span<const DType> kv_dtypes() { return kDTypes; }

KvCache::KvCache(const ModelConfig& config, int64_t capacity_tokens, DType dtype, MlaCache mla)
    : layout_(layout_of(config, dtype, mla)),
      n_pages_((capacity_tokens + kPageSize - 1) / kPageSize),
      n_layers_(config.n_layers + config.n_mtp_layers) {
  CHECK(capacity_tokens > 0, "capacity {}", capacity_tokens);
  const size_t n_bytes = static_cast<size_t>(n_layers_ * n_pages_ * page_bytes(layout_));
  // calloc: untouched pages cost no memory. Its memory is not aligned as the kernels like it.
  memory_.reset(static_cast<std::byte*>(std::calloc(n_bytes + kAlignment, 1)));
  CHECK(memory_ != nullptr, "out of memory for a KV cache of {} bytes", n_bytes);
  const uintptr_t address = reinterpret_cast<uintptr_t>(memory_.get());
  pages_ = memory_.get() + (kAlignment - address % kAlignment) % kAlignment;
  for (int64_t page = n_pages_ - 1; page >= 0; page--) free_pages_.push_back(static_cast<int32_t>(page));
  n_users_.resize(static_cast<size_t>(n_pages_));
}

int32_t KvCache::take_page() {
  const int32_t page = free_pages_.back();
  free_pages_.pop_back();
  n_users_[static_cast<size_t>(page)] = 1;
  return page;
}

Status KvCache::reserve(SequenceCache& sequence, int64_t n_tokens) {
  int64_t n_pages = (n_tokens + kPageSize - 1) / kPageSize;
  int64_t n_more = n_pages - static_cast<int64_t>(sequence.page_table.size());
  if (n_more > static_cast<int64_t>(free_pages_.size())) {
    return error("the KV cache holds {} tokens and has no room for a sequence of {}", capacity_tokens(), n_tokens);
  }
  sequence.page_table.reserve(static_cast<size_t>(n_pages_));  // once: a token allocates nothing
  for (int64_t i = 0; i < n_more; i++) sequence.page_table.push_back(take_page());
  return {};
}

Result<SequenceCache> KvCache::fork(const SequenceCache& from, int64_t n_tokens) {
  CHECK(n_tokens >= 0 && n_tokens <= from.n_tokens, "{} of {} tokens", n_tokens, from.n_tokens);
  const size_t n_whole = static_cast<size_t>(n_tokens / kPageSize);
  const bool has_rest = n_tokens % kPageSize != 0;
  if (has_rest && free_pages_.empty()) return error("the KV cache holds {} tokens and has no page left", capacity_tokens());
  SequenceCache out;
  out.n_tokens = n_tokens;
  out.page_table.assign(from.page_table.begin(), from.page_table.begin() + static_cast<std::ptrdiff_t>(n_whole));
  for (int32_t page : out.page_table) n_users_[static_cast<size_t>(page)]++;
  if (!has_rest) return out;
  out.page_table.push_back(take_page());
  const int64_t size = page_bytes(layout_);
  for (int64_t i = 0; i < n_layers_; i++) {
    std::byte* pages = pages_ + i * n_pages_ * size;
    std::copy_n(pages + from.page_table[n_whole] * size, size, pages + out.page_table.back() * size);
  }
  return out;
}

void KvCache::truncate(SequenceCache& sequence, int64_t n_tokens) {
  CHECK(n_tokens >= 0 && n_tokens <= sequence.n_tokens, "{} of {} tokens", n_tokens, sequence.n_tokens);
  size_t n_pages = static_cast<size_t>((n_tokens + kPageSize - 1) / kPageSize);
  while (sequence.page_table.size() > n_pages) {
    const int32_t page = sequence.page_table.back();
    sequence.page_table.pop_back();
    if (--n_users_[static_cast<size_t>(page)] == 0) free_pages_.push_back(page);
  }
  CHECK(n_tokens % kPageSize == 0 || n_users_[static_cast<size_t>(sequence.page_table.back())] == 1,
        "{} tokens end inside a page that {} sequences share", n_tokens,
        n_users_[static_cast<size_t>(sequence.page_table.back())]);
  sequence.n_tokens = n_tokens;
}

void KvCache::copy_page(std::span<std::byte> out, const SequenceCache& sequence, int64_t index) const {
  CHECK(static_cast<int64_t>(out.size()) == whole_page_bytes() && index >= 0 && (index + 1) * kPageSize <= sequence.n_tokens,
        "{} bytes, page {} of {} tokens", out.size(), index, sequence.n_tokens);
  const int64_t size = page_bytes(layout_), page = sequence.page_table[static_cast<size_t>(index)];
  for (int64_t i = 0; i < n_layers_; i++) std::copy_n(pages_ + (i * n_pages_ + page) * size, size, out.data() + i * size);
}

Status KvCache::append_page(SequenceCache& sequence, std::span<const std::byte> page) {
  CHECK(static_cast<int64_t>(page.size()) == whole_page_bytes() && sequence.n_tokens % kPageSize == 0,
        "{} bytes behind {} tokens", page.size(), sequence.n_tokens);
  TRY(reserve(sequence, sequence.n_tokens + kPageSize));
  const int64_t size = page_bytes(layout_), to = sequence.page_table[static_cast<size_t>(sequence.n_tokens / kPageSize)];
  for (int64_t i = 0; i < n_layers_; i++) std::copy_n(page.data() + i * size, size, pages_ + (i * n_pages_ + to) * size);
  sequence.n_tokens += kPageSize;
  return {};
}

int64_t KvCache::bytes_per_token(const ModelConfig& config, DType dtype, MlaCache mla) {
  return (config.n_layers + config.n_mtp_layers) * page_bytes(layout_of(config, dtype, mla)) / kPageSize;
}

}  // namespace minke
