#include "model/blocks/step.h"

#include <fmt/format.h>

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

std::span<const CachedSequence> cached_sequences(const Step& step, std::span<const BatchSequence> sequences) {
  CachedSequence* out = step.arena.allocate<CachedSequence>(static_cast<int64_t>(sequences.size()));
  for (size_t i = 0; i < sequences.size(); i++) {
    out[i] = {sequences[i].cache->page_table.data(), sequences[i].cache->n_tokens, sequences[i].n_tokens};
  }
  return {out, sequences.size()};
}

}  // namespace minke
