#include "model/blocks/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "kernels/elementwise.h"

namespace minke {
namespace {

std::string layer_name(int64_t layer, std::string_view name) {
  return layer < 0 ? std::string(name) : fmt::format("layers.{}.{}", layer, name);
}

}  // namespace

void Step::record(int64_t layer, std::string_view name, const float* values, int64_t dim) const {
  if (sink != nullptr && sink->floats) sink->floats(layer_name(layer, name), values, n_tokens, dim);
}

void Step::record(int64_t layer, std::string_view name, const int32_t* values, int64_t dim) const {
  if (sink != nullptr && sink->integers) sink->integers(layer_name(layer, name), values, n_tokens, dim);
}

void linear(float* out, const float* x, const Linear& w, int64_t n_tokens, const Context& context) {
  matmul(out, x, w.weight, n_tokens, context);
  if (!w.bias.empty()) add_bias(out, out, w.bias.data(), n_tokens, w.weight.n_rows, context);
}

void store_rows(const float* rows, int64_t stride, int64_t dim, int64_t offset, CachePart part, int64_t layer,
                const Step& step) {
  KvCache& cache = step.cache;
  int64_t row_dim = part == CachePart::kKeys ? cache.key_dim() : cache.value_dim();
  int64_t token = 0;
  for (const BatchSequence& sequence : step.batch.sequences) {
    for (int64_t i = 0; i < sequence.n_tokens; i++, token++) {
      int64_t position = sequence.cache->n_tokens + i;
      int32_t page = sequence.cache->page_table[static_cast<size_t>(position / kPageSize)];
      float* base = part == CachePart::kKeys ? cache.keys(layer, page) : cache.values(layer, page);
      std::memcpy(base + (position % kPageSize) * row_dim + offset, rows + token * stride,
                  static_cast<size_t>(dim) * sizeof(float));
    }
  }
}

void causal_visibility(int64_t* n_visible, int64_t n_queries, int64_t first_position, int64_t page_start) {
  for (int64_t i = 0; i < n_queries; i++) {
    n_visible[i] = std::clamp<int64_t>(first_position + i + 1 - page_start, 0, kPageSize);
  }
}

}  // namespace minke
