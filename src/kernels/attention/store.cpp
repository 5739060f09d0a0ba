// Keys and values of new tokens into the pages of a cache.
#include <algorithm>

#include "base/check.h"
#include "kernels/attention/attention.h"
#include "kernels/cpu/dispatch.h"

namespace minke {
namespace {

// Rows of one token as the pages want them: parts padded with zeros.
struct PaddedToken {
  alignas(64) float key[kMaxKvCols] = {};
  alignas(64) float value[kMaxKvCols] = {};

  void fill(const KvLayout& layout, const float* from_key, const float* from_value) {
    std::copy_n(from_key, layout.key_dim, key);
    std::copy_n(from_key + layout.key_dim, layout.rope_dim, key + layout.first_cols);
    if (from_value != nullptr) std::copy_n(from_value, layout.value_dim, value);
  }
};

}  // namespace

void store_tokens(const CachedLayer& layer, std::span<const CachedSequence> sequences, const float* keys, const float* values,
                  const Context& context) {
  const KvLayout& layout = layer.layout;
  CHECK((values == nullptr) == layout.is_latent, "values beside a latent, or none beside keys");
  const AttentionTable& table = attention_kernels(context.isa);
  const StoreKvFn store = (layout.is_latent ? table.store_latent : table.store_heads)[static_cast<size_t>(layout.type)];
  const int64_t key_stride = layout.key_dim + layout.rope_dim;
  for (const CachedSequence& s : sequences) {
    // By whole pages: tokens of a page share lines of memory.
    const int64_t first_page = s.first_position / kPageTokens, end = s.first_position + s.n_tokens;
    context.parallel_for((end - 1) / kPageTokens + 1 - first_page, 1, [&](int64_t begin_page, int64_t end_page) {
      PaddedToken token;
      const int64_t from = std::max((first_page + begin_page) * kPageTokens, s.first_position);
      for (int64_t position = from; position < std::min((first_page + end_page) * kPageTokens, end); position++) {
        std::byte* page = layer.pages + s.page_table[position / kPageTokens] * page_bytes(layout);
        for (int64_t head = 0; head < layout.n_heads; head++) {
          const int64_t row = (position - s.first_position) * layout.n_heads + head;
          token.fill(layout, keys + row * key_stride, values == nullptr ? nullptr : values + row * layout.value_dim);
          store(layout, page + head * layout.head_bytes, position % kPageTokens, token.key, token.value);
        }
      }
    });
    keys += s.n_tokens * layout.n_heads * key_stride;
    if (values != nullptr) values += s.n_tokens * layout.n_heads * layout.value_dim;
  }
}

}  // namespace minke
