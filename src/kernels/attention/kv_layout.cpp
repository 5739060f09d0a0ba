#include "kernels/attention/kv_layout.h"

#include <algorithm>

#include "base/check.h"

namespace minke {
namespace {

constexpr int64_t kPadding = 16;

int64_t padded(int64_t n) { return (n + kPadding - 1) / kPadding * kPadding; }
int64_t n_groups(int64_t n_cols, int64_t group) { return (n_cols + group - 1) / group; }

int64_t element_bytes(KvType type) {
  switch (type) {
    case KvType::kF32:
      return 4;
    case KvType::kF16:
    case KvType::kBF16:
      return 2;
    case KvType::kQ8:
      return 1;
  }
  return 0;
}

// Group number `group` of [0, first) and [first, all), neither of which shares a group with the other.
KvColumns columns_of(int64_t group, int64_t size, int64_t first, int64_t all) {
  const int64_t n_first = n_groups(first, size);
  const int64_t start = group < n_first ? 0 : first, stop = group < n_first ? first : all;
  const int64_t begin = start + (group < n_first ? group : group - n_first) * size;
  return {begin, std::min(begin + size, stop), group};
}

KvLayout make_layout(KvLayout layout) {
  KvLayout& l = layout;
  CHECK(l.n_heads > 0 && l.key_dim > 0 && l.rope_dim >= 0 && l.value_dim > 0, "{} heads of {} + {}, {}", l.n_heads, l.key_dim,
        l.rope_dim, l.value_dim);
  l.first_cols = padded(l.key_dim);
  const int64_t rope_cols = padded(l.rope_dim);
  l.key_cols = l.first_cols + rope_cols;
  l.value_cols = padded(l.value_dim);
  CHECK(l.key_cols <= kMaxKvCols && l.value_cols <= kMaxKvCols, "keys of {}, values of {} columns", l.key_cols, l.value_cols);
  auto groups = [&](int64_t size) { return n_groups(l.first_cols, size) + n_groups(rope_cols, size); };
  l.n_query_groups = groups(l.is_latent ? kLatentQueryGroup : kHeadQueryGroup);
  l.n_key_groups = groups(l.is_latent ? kLatentGroup : kHeadKeyGroup);
  l.n_value_groups = n_groups(l.value_cols, l.is_latent ? kLatentGroup : kHeadValueGroup);
  const int64_t bytes = element_bytes(l.type);
  const bool is_coded = l.type == KvType::kQ8;
  constexpr int64_t kScalesBytes = kPageTokens * static_cast<int64_t>(sizeof(float));
  l.values_offset = l.is_latent ? 0 : kPageTokens * l.key_cols * bytes;
  l.key_scales_offset = kPageTokens * (l.key_cols + (l.is_latent ? 0 : l.value_cols)) * bytes;
  const int64_t key_scales_end = l.key_scales_offset + (is_coded ? l.n_key_groups * kScalesBytes : 0);
  l.value_scales_offset = l.is_latent ? l.key_scales_offset : key_scales_end;
  l.head_bytes = key_scales_end + (is_coded && !l.is_latent ? l.n_value_groups * kScalesBytes : 0);
  return layout;
}

}  // namespace

KvLayout make_head_layout(KvType type, int64_t n_heads, int64_t key_dim, int64_t value_dim) {
  KvLayout layout = {};
  layout.type = type;
  layout.n_heads = n_heads;
  layout.key_dim = key_dim;
  layout.value_dim = value_dim;
  return make_layout(layout);
}

KvLayout make_latent_layout(KvType type, int64_t rank, int64_t rope_dim) {
  KvLayout layout = {};
  layout.type = type;
  layout.is_latent = true;
  layout.n_heads = 1;
  layout.key_dim = layout.value_dim = rank;
  layout.rope_dim = rope_dim;
  return make_layout(layout);
}

int64_t page_bytes(const KvLayout& layout) { return layout.n_heads * layout.head_bytes; }

KvColumns query_columns(const KvLayout& layout, int64_t group) {
  const int64_t size = layout.is_latent ? kLatentQueryGroup : kHeadQueryGroup;
  KvColumns columns = columns_of(group, size, layout.first_cols, layout.key_cols);
  const int64_t key_size = layout.is_latent ? kLatentGroup : kHeadKeyGroup;
  const bool is_rope = columns.begin >= layout.first_cols;
  columns.scale = is_rope ? n_groups(layout.first_cols, key_size) + (columns.begin - layout.first_cols) / key_size
                          : columns.begin / key_size;
  return columns;
}

KvColumns key_columns(const KvLayout& layout, int64_t group) {
  return columns_of(group, layout.is_latent ? kLatentGroup : kHeadKeyGroup, layout.first_cols, layout.key_cols);
}

KvColumns value_columns(const KvLayout& layout, int64_t group) {
  return columns_of(group, layout.is_latent ? kLatentGroup : kHeadValueGroup, layout.value_cols, layout.value_cols);
}

}  // namespace minke
