#include "model/blocks/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "kernels/backward.h"
#include "kernels/elementwise.h"
#include "kernels/norm.h"

namespace minke {
namespace {

std::string layer_name(int64_t layer, std::string_view name) {
  return layer < 0 ? std::string(name) : fmt::format("layers.{}.{}", layer, name);
}

// The scalar definition has no products of coded activations.
Codings used_codings(Codings codings, const Step& step) { return step.context.isa == Isa::kRef ? Codings{} : codings; }

// scale * A x: [n_rows, rank] in new scratch. Cheap beside the matrix itself, so the backward pass computes it again.
float* low_rank_rows(ConstRows x, const Adapter& adapter, int64_t n_rows, const Step& step) {
  const int64_t rank = adapter.a.n_rows;
  float* low = step.arena.allocate<float>(n_rows * rank);
  matmul({low, rank}, x, adapter.a, n_rows, step.context);
  scale(low, low, adapter.scale, n_rows * rank, step.context);
  return low;
}

void add_adapter(Rows out, ConstRows x, const Adapter& adapter, int64_t n_rows, const Step& step) {
  const Arena::Mark mark = step.arena.mark();
  const float* low = low_rank_rows(x, adapter, n_rows, step);
  matmul(out, {low, adapter.a.n_rows}, adapter.b, n_rows, Accumulate::kAdd, step.context);
  step.arena.rewind(mark);
}

// d_b += d_out^T (scale * A x), and with d_low = scale * d_out B: d_a += d_low^T x, d_x += d_low A.
void adapter_backward(float* d_x, const float* d_out, const float* x, const Adapter& adapter, int64_t n_rows,
                      const Step& step) {
  const Weight &a = adapter.a, &b = adapter.b;
  const Arena::Mark mark = step.arena.mark();
  float* d_low = step.arena.allocate<float>(n_rows * a.n_rows);
  matmul_transposed({d_low, a.n_rows}, {d_out, b.n_rows}, b, n_rows, step.context);
  scale(d_low, d_low, adapter.scale, n_rows * a.n_rows, step.context);
  matmul_transposed({d_x, a.n_cols}, {d_low, a.n_rows}, a, n_rows, Accumulate::kAdd, step.context);
  if (a.gradient != nullptr) {
    const float* low = low_rank_rows({x, a.n_cols}, adapter, n_rows, step);
    matmul_gradient({b.gradient, b.n_rows, b.n_cols}, {d_out, b.n_rows}, {low, b.n_cols}, n_rows, step.context);
    matmul_gradient({a.gradient, a.n_rows, a.n_cols}, {d_low, a.n_rows}, {x, a.n_cols}, n_rows, step.context);
  }
  step.arena.rewind(mark);
}

}  // namespace

void Step::record(int64_t layer, std::string_view name, const float* values, int64_t dim) const {
  if (sink != nullptr && sink->floats) sink->floats(layer_name(layer, name), values, n_tokens, dim);
}

void Step::record(int64_t layer, std::string_view name, const int32_t* values, int64_t dim) const {
  if (sink != nullptr && sink->integers) sink->integers(layer_name(layer, name), values, n_tokens, dim);
}

Step make_step(const ModelConfig& config, const RopeFrequencies& rope, const Batch& batch, KvCache& cache, Arena& arena,
               const Context& context) {
  arena.reset();
  const int64_t n = static_cast<int64_t>(batch.tokens.size()), half = config.rope.dim / 2;
  int64_t* positions = arena.allocate<int64_t>(n);
  int64_t* rope_rows = arena.allocate<int64_t>(n);
  std::iota(rope_rows, rope_rows + n, int64_t{0});
  int64_t token = 0;
  for (const BatchSequence& sequence : batch.sequences) {
    for (int64_t i = 0; i < sequence.n_tokens; i++) positions[token++] = sequence.cache->n_tokens + i;
  }
  float* cos = arena.allocate<float>(n * half);
  float* sin = arena.allocate<float>(n * half);
  rope_angles(cos, sin, positions, n, rope);
  const RopeLayout layout = config.rope.interleaved ? RopeLayout::kInterleaved : RopeLayout::kHalf;
  return {config, batch, cache, n, RopeTable{cos, sin, n, config.rope.dim}, rope_rows, layout, arena, context};
}

Activations activations(const float* x, int64_t n_rows, int64_t n_cols, Codings codings, const Step& step) {
  const Codings used = used_codings(codings, step);
  auto* memory = step.arena.allocate<uint8_t>(coded_bytes(used, n_rows, n_cols));
  return code_rows({x, n_cols}, n_rows, n_cols, used, memory, step.context);
}

Activations normed_activations(const float* x, const Vector& weight, int64_t dim, double eps, Codings codings,
                               const Step& step) {
  float* normed = step.arena.allocate<float>(step.n_tokens * dim);
  const Codings used = used_codings(codings, step);
  auto* memory = step.arena.allocate<uint8_t>(coded_bytes(used, step.n_tokens, dim));
  const Activations result = place_codes({normed, dim}, step.n_tokens, dim, used, memory);
  const Context inner{nullptr, step.context.isa};
  step.context.parallel_for(step.n_tokens, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; t++) {
      rms_norm(normed + t * dim, x + t * dim, weight.data(), 1, dim, static_cast<float>(eps), inner);
      code_rows(result, t, t + 1, step.context.isa);
    }
  });
  return result;
}

void multiply(std::span<const Product> products, const Step& step) {
  if (step.sink != nullptr && step.sink->product) {
    for (const Product& p : products) step.sink->product(*p.w, p.x->rows, p.n_tokens, p.token_rows);
  }
  multiply(products, step.context);
}

void multiply_gated(std::span<const GatedProduct> products, const Step& step) {
  if (step.sink != nullptr && step.sink->product) {
    for (const GatedProduct& p : products) {
      for (const Weight* w : {p.gate, p.up}) step.sink->product(*w, p.x->rows, p.n_tokens, p.token_rows);
    }
  }
  multiply_gated(products, step.context);
}

void linear(std::initializer_list<LinearOutput> outputs, const Activations& x, const Step& step) {
  constexpr size_t kMost = 4;
  CHECK(outputs.size() <= kMost, "{} products", outputs.size());
  Product products[kMost];
  size_t n = 0;
  for (const LinearOutput& output : outputs) {
    products[n++] = {{output.out, output.w.weight.n_rows}, &x, &output.w.weight, step.n_tokens, nullptr};
  }
  multiply(std::span(products, n), step);
  for (const LinearOutput& output : outputs) {
    if (output.w.adapter != nullptr) {
      add_adapter({output.out, output.w.weight.n_rows}, x.rows, *output.w.adapter, step.n_tokens, step);
    }
    if (output.w.bias.empty()) continue;
    add_bias(output.out, output.out, output.w.bias.data(), step.n_tokens, output.w.weight.n_rows, step.context);
  }
}

void linear_backward(float* d_x, const float* d_out, const float* x, const Weight& w, int64_t n_rows, const Step& step) {
  matmul_transposed({d_x, w.n_cols}, {d_out, w.n_rows}, w, n_rows, Accumulate::kAdd, step.context);
  if (w.gradient == nullptr) return;
  matmul_gradient({w.gradient, w.n_rows, w.n_cols}, {d_out, w.n_rows}, {x, w.n_cols}, n_rows, step.context);
}

void linear_backward(float* d_x, const float* d_out, const float* x, const Linear& w, int64_t n_rows, const Step& step) {
  linear_backward(d_x, d_out, x, w.weight, n_rows, step);
  if (w.adapter != nullptr) adapter_backward(d_x, d_out, x, *w.adapter, n_rows, step);
  if (w.bias.gradient != nullptr) {
    sum_rows(w.bias.gradient, {d_out, w.weight.n_rows}, n_rows, w.weight.n_rows, step.context);
  }
}

float* keep_copy(const float* x, int64_t n, const Step& step) {
  if (step.saved == nullptr) return nullptr;
  float* copy = step.keep<float>(n);
  std::copy_n(x, n, copy);
  return copy;
}

float* zeros(int64_t n, const Step& step) {
  float* out = step.arena.allocate<float>(n);
  step.context.parallel_for(n, 64 << 10, [=](int64_t begin, int64_t end) { std::fill(out + begin, out + end, 0.0f); });
  return out;
}

void rope_backward(float* d_x, const RopeShape& shape, const Step& step) {
  const Arena::Mark mark = step.arena.mark();
  const int64_t n = step.rope.n_positions * step.rope.rope_dim / 2;
  float* sin = step.arena.allocate<float>(n);
  for (int64_t i = 0; i < n; i++) sin[i] = -step.rope.sin[i];
  const RopeTable back = {step.rope.cos, sin, step.rope.n_positions, step.rope.rope_dim};
  apply_rope(d_x, step.rope_rows, back, shape, step.rope_layout, step.context);
  step.arena.rewind(mark);
}

std::span<const CachedSequence> cached_sequences(const Step& step, std::span<const BatchSequence> sequences) {
  CachedSequence* out = step.arena.allocate<CachedSequence>(static_cast<int64_t>(sequences.size()));
  for (size_t i = 0; i < sequences.size(); i++) {
    out[i] = {sequences[i].cache->page_table.data(), sequences[i].cache->n_tokens, sequences[i].n_tokens};
  }
  return {out, sequences.size()};
}

}  // namespace minke
